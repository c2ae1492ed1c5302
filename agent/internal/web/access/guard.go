package access

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
)

// securityHeaders go with every answer. Pages bring scripts and styles from this server only, none inline.
var securityHeaders = [...][2]string{
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
}

// strict is said by TLS alone: for a year, browsers ask for this server's names by TLS, whatever a link or a person says.
const strict = "max-age=31536000"

// AllowCamera lets the page that is answered, and no other, use the camera of its machine.
func AllowCamera(h http.Header) {
	h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=()")
}

// allowHosts fills the set of names the server answers to.
func (d *Door) allowHosts() error {
	d.hosts = map[string]bool{"localhost": true}
	for _, h := range append([]string{d.opts.Web.Listen}, d.opts.Web.Hosts...) {
		d.hosts[hostOnly(h)] = true
	}
	d.origin = http.NewCrossOriginProtection()
	if d.opts.Web.Public != "" {
		u, err := url.Parse(d.opts.Web.Public)
		if err != nil || u.Host == "" {
			return fmt.Errorf("access: public address %q is not a URL", d.opts.Web.Public)
		}
		d.hosts[hostOnly(u.Host)] = true
		// Behind a proxy that ends TLS, pages come from the public origin.
		if err := d.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return fmt.Errorf("access: public address: %w", err)
		}
	}
	delete(d.hosts, "")
	return nil
}

// Wrap puts the guard before a handler: security headers, known hosts, no foreign origins, and no panic that ends a connection
// without an answer.
func (d *Door) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, kv := range securityHeaders {
			h.Set(kv[0], kv[1])
		}
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", strict)
		}
		if !d.hostAllowed(r) {
			d.problem(w, http.StatusMisdirectedRequest, HostNotAllowed, nil)
			return
		}
		if err := d.origin.Check(r); err != nil || forged(r) {
			d.problem(w, http.StatusForbidden, CrossOrigin, nil)
			return
		}
		defer d.recovered(w, r)
		next.ServeHTTP(w, r)
	})
}

// forged reports whether a page without TLS sent what came by TLS. Our pages are none, and anybody in the network can make one under
// this server's name; browsers of before 2021 take the two for the same site.
func forged(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return r.TLS != nil && strings.HasPrefix(strings.ToLower(r.Header.Get("Origin")), "http:")
}

func (d *Door) recovered(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // the server's own way to cut a connection
	}
	id := rand.Text()[:8]
	d.opts.Log.Error("request panicked", "id", id, "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	d.problem(w, http.StatusInternalServerError, "internal", map[string]string{"id": id})
}

// hostAllowed stops DNS rebinding: a page of a foreign name that is made to point here carries that name. Addresses are safe,
// because no name was looked up, if they are the ones the connection came in on.
func (d *Door) hostAllowed(r *http.Request) bool {
	if r.Host == "" {
		return true // a program that speaks HTTP/1.0: a browser always says which name it looked up
	}
	host := hostOnly(r.Host)
	if d.hosts[host] {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return d.opts.Names != nil && slices.Contains(d.opts.Names(), host)
	}
	if ip.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() == ip.Unmap()
}

// hostOnly gives the name or address of host[:port] in lower case.
func hostOnly(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		s = h
	}
	return strings.ToLower(strings.Trim(s, "[]"))
}
