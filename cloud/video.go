package cloud

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/media"
	"halledge/cloud/internal/media/whep"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"
)

// errNobody is the refusal of a request of somebody who may not see pictures, should it come past the web server.
var errNobody = errors.New("nobody who may watch is signed in")

// video is the video node together with what the board and the API want to know of it.
type video struct {
	node  *media.Media
	stale atomic.Bool // a camera changed since index was made

	mu    sync.Mutex
	index map[string]api.Live
}

func openVideo(o Options, catalog *problem.Catalog, board *halls.Board, desk *access.Desk, secured []net.Listener) (*video, error) {
	v := &video{}
	v.stale.Store(true)
	register := newRegister(o.Config)
	var err error
	v.node, err = media.New(media.Config{
		RTSP: o.Config.Media.RTSP, Secured: secured, WebRTC: o.Config.Media.WebRTC, Addresses: o.Config.Media.Addresses, Registry: register, Messages: catalog,
		Authorize: func(r *http.Request, camera string) (media.Permit, error) {
			who, ok := access.WhoOf(r.Context())
			if !ok || !who.May(rights.Watch) {
				return media.Permit{}, errNobody
			}
			if !register.inScope(who.Scope, camera) {
				return media.Permit{}, catalog.Problem(http.StatusNotFound, whep.CameraUnknown, nil)
			}
			held, release := desk.Hold(context.Background(), who)
			return media.Permit{Done: held.Done(), Release: release}, nil
		},
		Changed: func(camera string) {
			v.stale.Store(true)
			if hall, ok := register.Hall(camera); ok {
				board.CameraChanged(hallsync.HallID(hall))
			}
		},
		Watched: func(camera, user, remote string) {
			host, _, _ := net.SplitHostPort(remote)
			note := store.Audit{Action: store.ActionWatch, Subject: camera, Result: "ok", Remote: host}
			if err := desk.Note(context.Background(), access.Program(user), note); err != nil {
				o.Log.Error("watching not audited", "camera", camera, "error", err)
			}
		},
	}, o.Log)
	return v, err
}

// live says what arrives of a camera. The list of all is read again only after something changed.
func (v *video) live(camera string) api.Live {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stale.Swap(false) {
		v.index = map[string]api.Live{}
		for _, c := range v.node.Cameras() {
			v.index[c.Camera] = api.Live{Arriving: c.Live, Viewers: c.Viewers}
		}
	}
	return v.index[camera]
}

// register is what the node asks about logins and cameras. It never changes.
type register struct {
	publishers map[string]string // hall → password
	halls      map[string]string // camera → hall
	readers    map[string]reader // by API token's name
}

// reader is a program that may read cameras.
type reader struct {
	secret string
	scope  rights.Scope
}

func newRegister(c config.Config) *register {
	r := &register{publishers: map[string]string{}, halls: map[string]string{}, readers: map[string]reader{}}
	for _, h := range c.Halls {
		if !h.Publish.Empty() {
			r.publishers[string(h.Code)] = h.Publish.Reveal()
		}
		for _, cam := range h.Cameras {
			r.halls[cam.Code] = string(h.Code)
		}
	}
	for _, t := range c.Tokens {
		if roles, scope := t.Rights(); roles.May(rights.Watch) {
			r.readers[t.Name] = reader{secret: t.Secret.Reveal(), scope: scope}
		}
	}
	return r
}

// Publisher implements the node's registry.
func (r *register) Publisher(hall string) (password string, ok bool) {
	password, ok = r.publishers[hall]
	return password, ok
}

// Hall implements the node's registry.
func (r *register) Hall(camera string) (hall string, ok bool) {
	hall, ok = r.halls[camera]
	return hall, ok
}

// Reader implements the node's registry: another platform reads with an API token, its name as user and its secret as password.
func (r *register) Reader(user string) (password string, ok bool) {
	found, ok := r.readers[user]
	return found.secret, ok
}

// Sees implements the node's registry.
func (r *register) Sees(user, camera string) bool {
	found, ok := r.readers[user]
	return ok && r.inScope(found.scope, camera)
}

// inScope reports whether there is a camera, and its hall is in the scope.
func (r *register) inScope(scope rights.Scope, camera string) bool {
	hall, ok := r.halls[camera]
	return ok && scope.Covers(hallsync.HallID(hall))
}
