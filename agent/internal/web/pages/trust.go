package pages

import (
	"net/http"
	"strings"

	"halledge/agent/kit/problem"
)

// Where machines of the hall get what they need to trust its pages.
const (
	trustPath = "/trust"
	rootPath  = "/ca.crt"
)

// rootShown is the root of the pages' certificate as people see it.
type rootShown struct {
	Plain        bool   // the page itself has come without TLS: what it says proves nothing
	Secure       string // the address by TLS
	SHA256, SHA1 []string
	Until        string
}

// fingerprint breaks one into parts that people can compare.
func fingerprint(pairs string) []string {
	const part = 4 * 3 // four pairs and their colons
	var out []string
	for ; len(pairs) > part; pairs = pairs[part:] {
		out = append(out, pairs[:part])
	}
	return append(out, pairs)
}

// root gives the certificate that machines are to trust.
func (p *Pages) root(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/x-x509-ca-cert")
	h.Set("Content-Disposition", `inline; filename="hall-ca.crt"`)
	_, _ = w.Write(p.opts.Trust.Root().DER()) // a browser that has gone away cannot be told anything
}

// trust tells who sets up the hall's machines how they come to trust its pages.
func (p *Pages) trust(w http.ResponseWriter, r *http.Request) { p.showTrust(w, r, http.StatusOK) }

func (p *Pages) showTrust(w http.ResponseWriter, r *http.Request, status int) {
	root := p.opts.Trust.Root()
	_, until := p.opts.Trust.Ends()
	p.render(w, status, shell{Name: "trust", Style: "plain", Title: "安装根证书", Hall: p.opts.Site.Hall.Name, Root: rootShown{
		Plain: r.TLS == nil, Secure: "https://" + r.Host + "/", SHA256: fingerprint(root.SHA256()), SHA1: fingerprint(root.SHA1()),
		Until: until.In(p.zone).Format("2006-01-02"),
	}})
}

// Plain answers those who do not speak TLS where it must be spoken: with the root, with one page that says how to go on, and with
// what that page looks like. Nothing else is answered, and no secret that came along is sent back.
func (p *Pages) Plain(w http.ResponseWriter, r *http.Request) {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case read && r.URL.Path == rootPath:
		p.root(w, r)
	case read && (r.URL.Path == "/assets/plain.css" || r.URL.Path == "/assets/icon.svg"):
		r.SetPathValue("file", strings.TrimPrefix(r.URL.Path, "/assets/"))
		p.asset(w, r)
	case read && strings.Contains(r.Header.Get("Accept"), "text/html"):
		p.showTrust(w, r, http.StatusUpgradeRequired)
	default:
		w.Header().Set("Upgrade", "TLS/1.2, HTTP/1.1")
		w.Header().Set("Connection", "close")
		problem.Write(w, p.opts.Catalog.Problem(http.StatusUpgradeRequired, "tls_required", nil))
	}
}
