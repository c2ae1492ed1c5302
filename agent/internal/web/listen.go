package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// recordHandshake is the first byte of whoever speaks TLS (RFC 8446, section 5.1). No method of HTTP begins with it.
const recordHandshake = 22

// secured is a port on which TLS is spoken. Whoever speaks plain HTTP there has the address of an older time or has typed it without
// its scheme: he is told by a page what to do.
type secured struct {
	net.Listener
	config *tls.Config
}

// Accept gives a connection of which is known later what it speaks, so that one that says nothing keeps nobody waiting.
func (l *secured) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &visitor{Conn: raw, config: l.config}, nil
}

// visitor is a connection whose first byte says what it speaks. Its deadlines are those of the connection below.
type visitor struct {
	net.Conn // below
	config   *tls.Config

	mu     sync.Mutex
	speaks net.Conn  // after the first byte
	secure *tls.Conn // the same, if it is TLS
}

// Read finds out at first what is spoken. One Read is under way at a time.
func (v *visitor) Read(p []byte) (int, error) {
	over, _ := v.chosen()
	if over == nil {
		var first [1]byte
		if _, err := v.Conn.Read(first[:]); err != nil {
			return 0, err
		}
		over = v.choose(first[0])
	}
	return over.Read(p)
}

func (v *visitor) choose(first byte) net.Conn {
	v.mu.Lock()
	defer v.mu.Unlock()
	again := &rewound{Conn: v.Conn, first: []byte{first}}
	v.speaks = again
	if first == recordHandshake {
		v.secure = tls.Server(again, v.config)
		v.speaks = v.secure
	}
	return v.speaks
}

func (v *visitor) chosen() (over net.Conn, secure *tls.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.speaks, v.secure
}

// Write answers in what was spoken; to nobody who has said nothing.
func (v *visitor) Write(p []byte) (int, error) {
	over, _ := v.chosen()
	if over == nil {
		return 0, net.ErrClosed
	}
	return over.Write(p)
}

// Close says good-bye in what was spoken.
func (v *visitor) Close() error {
	if _, secure := v.chosen(); secure != nil {
		return secure.Close()
	}
	return v.Conn.Close()
}

// rewound gives the byte again that was looked at.
type rewound struct {
	net.Conn
	first []byte
}

func (r *rewound) Read(p []byte) (int, error) {
	if len(r.first) == 0 || len(p) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	r.first = r.first[n:]
	return n, nil
}

type visitorKey struct{}

// remember keeps a request's connection with it.
func remember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, c)
}

// securely passes what came by TLS on to next, and all else to plain.
func securely(next, plain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := r.Context().Value(visitorKey{}).(*visitor)
		if !ok {
			plain.ServeHTTP(w, r)
			return
		}
		if _, secure := v.chosen(); secure != nil {
			state := secure.ConnectionState()
			r.TLS = &state
			next.ServeHTTP(w, r)
			return
		}
		plain.ServeHTTP(w, r)
	})
}
