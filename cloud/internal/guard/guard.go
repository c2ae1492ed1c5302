// Package guard gives what the doors of the centre have in common: what every answer says to whoever shows it, and how a server ends.
package guard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// stopTimeout is how long requests that run have to finish.
const stopTimeout = 8 * time.Second

// Serve answers requests on l until ctx ends; then it lets running requests finish. It fails when the server ended by itself, or could not be ended.
func Serve(ctx context.Context, srv *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := srv.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-done
	return err
}

// Headers sets what keeps an answer to where it belongs. The console's pages have a policy of their own.
func Headers(h http.Header, encrypted bool) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if encrypted {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
