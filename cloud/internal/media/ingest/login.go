package ingest

import (
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/origin"
)

// Wrong logins are counted as wrong passwords are at the console: by user and network together, and by network under all users.
// A login that was right from a network spares that user the second count there: many halls share one address.
const (
	userBurst    = 5
	userPause    = 3 * time.Minute
	networkBurst = 30
	networkPause = 2 * time.Second
	maxPlaces    = 4096 // pairs of user and network that are remembered
	maxNetworks  = 4096

	// wrongLogin is how long the answer to a wrong password takes.
	wrongLogin = time.Second
)

// errLimited ends the connection of who guesses too often.
var errLimited = errors.New("too many wrong logins")

// verdict is what became of a login.
type verdict int

const (
	refused verdict = iota
	accepted
	unjudged // too many were wrong before
)

// place is a user on a network. All users there are not are one.
type place struct{ user, network string }

func (p place) key() string { return p.user + " " + p.network }

// logins limits how often passwords can be guessed.
type logins struct {
	mu       sync.Mutex
	places   *origin.Limit
	networks *origin.Limit
	familiar map[place]struct{}
}

func newLogins() *logins {
	return &logins{
		places: origin.NewLimit(userPause, userBurst, maxPlaces), networks: origin.NewLimit(networkPause, networkBurst, maxNetworks),
		familiar: map[place]struct{}{},
	}
}

// judge asks whether a login is right, unless too many were wrong. One is judged at a time: a crowd gets no more guesses.
func (l *logins) judge(p place, right func() bool) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, familiar := l.familiar[p]
	if l.places.Spent(p.key()) || !familiar && l.networks.Spent(p.network) {
		return unjudged
	}
	if !right() {
		l.places.Allow(p.key())
		l.networks.Allow(p.network)
		return refused
	}
	l.places.Forgive(p.key())
	if len(l.familiar) >= maxPlaces {
		clear(l.familiar)
	}
	l.familiar[p] = struct{}{}
	return accepted
}

// login checks the login of a request. It gives the user, or the answer to give.
func (s *Server) login(conn *gortsplib.ServerConn, req *base.Request,
	password func(user string) (string, bool)) (user string, res *base.Response, err error) {
	var given headers.Authorization
	if given.Unmarshal(req.Header["Authorization"]) != nil {
		conn.VerifyCredentials(req, "-", rand.Text()) // makes the nonce that the answer has to name
		return "", status(base.StatusUnauthorized), liberrors.ErrServerAuth{}
	}
	secret, known := password(given.Username)
	p := place{network: network(conn)}
	if known && secret != "" {
		p.user = given.Username
	} else {
		secret = rand.Text() // an unknown user is checked as well, and fails
	}
	user = given.Username
	if user == "" {
		user = "-"
	}
	switch s.logins.judge(p, func() bool { return conn.VerifyCredentials(req, user, secret) }) {
	case accepted:
		return user, nil, nil
	case unjudged:
		s.log.Warn("login not judged", "reason", errLimited.Error(), "user_known", known, "remote", remote(conn))
		res, err = status(base.StatusServiceUnavailable), errLimited
	default:
		s.log.Warn("login refused", "user_known", known, "remote", remote(conn))
		res, err = status(base.StatusUnauthorized), liberrors.ErrServerAuth{}
	}
	timer := time.NewTimer(wrongLogin)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
	return "", res, err
}

// publisher gives the hall that wants to publish: the one that its certificate names, or on the loopback the one whose password it has.
func (s *Server) publisher(conn *gortsplib.ServerConn, req *base.Request) (hall string, res *base.Response, err error) {
	if named, proved := gate.HallOf(conn.NetConn()); proved {
		return string(named), nil, nil
	}
	if gate.Secured(conn.NetConn()) {
		s.log.Warn("publisher refused", "reason", "no certificate", "remote", remote(conn))
		return "", status(base.StatusForbidden), nil
	}
	return s.login(conn, req, s.registry.Publisher)
}

// mayRead checks a reader's login for a camera, and gives the user; the answer is nil when it may.
func (s *Server) mayRead(conn *gortsplib.ServerConn, req *base.Request, camera string) (user string, res *base.Response, err error) {
	user, res, err = s.login(conn, req, s.registry.Reader)
	if res != nil {
		return "", res, err
	}
	if !s.registry.Sees(user, camera) {
		return "", status(base.StatusNotFound), nil
	}
	return user, nil, nil
}

// network is the network a connection comes from.
func network(conn *gortsplib.ServerConn) string {
	host, _, err := net.SplitHostPort(remote(conn))
	if err != nil {
		return remote(conn)
	}
	return origin.Network(host)
}
