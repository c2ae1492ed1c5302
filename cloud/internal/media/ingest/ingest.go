// Package ingest gives the node's RTSP port. Halls publish their cameras there (ANNOUNCE and RECORD, the user is the hall code,
// the path the camera code), and other platforms read them (DESCRIBE and PLAY with a login of their own). A hall publishes only
// cameras that are registered as its own. Everything is RTP interleaved in TCP.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"

	"halledge/cloud/internal/media/fanout"
)

const (
	requestTimeout = 10 * time.Second
	// arrive is how long a reader waits for a camera that has to be asked for.
	arrive = 10 * time.Second
	// queue is how many packets may wait for a reader before it is let go.
	queue = 1024
)

// Registry says who may do what. Its methods are called from many goroutines and must not block for long.
type Registry interface {
	// Publisher gives the password under which a hall publishes.
	Publisher(hall string) (password string, ok bool)
	// Hall gives the hall that a registered camera belongs to.
	Hall(camera string) (hall string, ok bool)
	// Reader gives the password of a user who may read cameras.
	Reader(user string) (password string, ok bool)
	// Sees reports whether there is a camera for such a user.
	Sees(user, camera string) bool
}

// Server is the RTSP port.
type Server struct {
	registry Registry
	hub      *fanout.Hub
	watched  func(camera, user, remote string)
	log      *slog.Logger
	logins   *logins
	ln       *listener
	rtsp     *gortsplib.Server
	ctx      context.Context // of Run
	end      context.CancelFunc

	mu   sync.Mutex
	live map[string]*publication // by camera
}

// publication is one camera that a hall publishes.
type publication struct {
	camera  string
	media   *description.Media
	feed    *fanout.Publisher
	stream  *gortsplib.ServerStream // to RTSP readers
	readers atomic.Int32
}

// reading is one session of a reader. pub is nil until it plays.
type reading struct {
	user  string
	pub   *publication
	leave func()
}

// Listen opens the port at address (host:port on the loopback). Who comes by one of the secured listeners, which are of package gate, is the hall
// that its certificate names; who has none there may read with a login and not publish. Run serves them. watched is told when a user begins to read a camera, before it gets
// the first picture; it may take as long as writing that down does.
func Listen(address string, secured []net.Listener, registry Registry, hub *fanout.Hub, watched func(camera, user, remote string), log *slog.Logger) (*Server, error) {
	ln, err := listen(address, secured)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{registry: registry, hub: hub, watched: watched, log: log, logins: newLogins(), ln: ln, ctx: ctx, end: end,
		live: make(map[string]*publication)}
	s.rtsp = &gortsplib.Server{
		Handler:        s,
		RTSPAddress:    ln.Addr().String(),
		ReadTimeout:    requestTimeout,
		WriteTimeout:   requestTimeout,
		WriteQueueSize: queue,
		Listen:         func(string, string) (net.Listener, error) { return ln, nil },
	}
	return s, nil
}

// Addr gives the address that was opened.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close closes the port of a server that is not run.
func (s *Server) Close() error {
	s.end()
	return s.ln.Close()
}

// Run serves until ctx ends and every connection is closed. It is called once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.rtsp.Start(); err != nil {
		return errors.Join(fmt.Errorf("start RTSP: %w", err), s.Close())
	}
	defer context.AfterFunc(ctx, func() {
		s.end()
		s.rtsp.Close()
	})()
	err := s.rtsp.Wait()
	s.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("serve RTSP: %w", err)
}

// OnConnClose implements gortsplib.ServerHandlerOnConnClose.
func (s *Server) OnConnClose(ctx *gortsplib.ServerHandlerOnConnCloseCtx) {
	if release, ok := ctx.Conn.UserData().(func()); ok {
		release()
	}
}

// OnAnnounce implements gortsplib.ServerHandlerOnAnnounce: a hall wants to publish.
func (s *Server) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	camera := strings.Trim(ctx.Path, "/")
	user, res, err := s.publisher(ctx.Conn, ctx.Request)
	if res != nil {
		return res, err
	}
	hall, known := s.registry.Hall(camera)
	if !known || hall != user {
		s.log.Warn("publisher refused", "hall", user, "camera_known", known, "remote", remote(ctx.Conn))
		return status(base.StatusForbidden), nil
	}
	if _, _, ok := pick(ctx.Description); !ok {
		s.log.Warn("publisher refused", "hall", user, "camera", camera, "reason", "no video codec we know")
		return status(base.StatusUnsupportedMediaType), nil
	}
	return status(base.StatusOK), nil
}

// OnSetup implements gortsplib.ServerHandlerOnSetup for both directions.
func (s *Server) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return status(base.StatusOK), nil, nil
	}
	user, res, err := s.mayRead(ctx.Conn, ctx.Request, strings.Trim(ctx.Path, "/"))
	if res != nil {
		return res, nil, err
	}
	res, stream := s.open(ctx.Path)
	if before := ctx.Session.SetuppedStream(); before != nil && stream != nil && stream != before {
		return status(base.StatusNotFound), nil, nil // published anew since the first SETUP
	}
	if ctx.Session.UserData() == nil {
		ctx.Session.SetUserData(&reading{user: user})
	}
	return res, stream, nil
}

// OnRecord implements gortsplib.ServerHandlerOnRecord: pictures are about to come.
func (s *Server) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	camera := strings.Trim(ctx.Path, "/")
	media, f, ok := pick(ctx.Session.AnnouncedDescription())
	if !ok {
		return status(base.StatusUnsupportedMediaType), nil
	}
	out := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}
	pub := &publication{camera: camera, media: out,
		stream: &gortsplib.ServerStream{Server: s.rtsp, Desc: &description.Session{Medias: []*description.Media{out}}}}
	if err := pub.stream.Initialize(); err != nil {
		return status(base.StatusInternalServerError), err
	}
	s.mu.Lock()
	feed, err := s.hub.Publish(camera, f, ctx.Session.Close)
	if err == nil {
		pub.feed = feed
		s.live[camera] = pub
	}
	s.mu.Unlock()
	if err != nil {
		pub.stream.Close()
		s.log.Warn("publisher refused", "camera", camera, "error", err.Error(), "remote", remote(ctx.Conn))
		return status(base.StatusMethodNotValidInThisState), nil
	}
	ctx.Session.SetUserData(pub)
	ctx.Session.OnPacketRTP(media, f, pub.write)
	admit(ctx.Conn)
	s.log.Info("camera arrives", "camera", camera, "remote", remote(ctx.Conn))
	return status(base.StatusOK), nil
}

// OnDescribe implements gortsplib.ServerHandlerOnDescribe: somebody wants to read. A camera that is relayed on demand is asked
// for, and kept wanted as long as the reader's connection lives.
func (s *Server) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	camera := strings.Trim(ctx.Path, "/")
	if _, res, err := s.mayRead(ctx.Conn, ctx.Request, camera); res != nil {
		return res, nil, err
	}
	wait, cancel := context.WithTimeout(s.ctx, arrive)
	defer cancel()
	release, err := s.hub.Want(wait, camera)
	if before, ok := ctx.Conn.UserData().(func()); ok {
		before()
	}
	ctx.Conn.SetUserData(release)
	if err != nil {
		return status(base.StatusNotFound), nil, nil
	}
	res, stream := s.open(ctx.Path)
	return res, stream, nil
}

// open gives the stream at a path to a reader who may read it.
func (s *Server) open(path string) (*base.Response, *gortsplib.ServerStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pub := s.live[strings.Trim(path, "/")]
	if pub == nil {
		return status(base.StatusNotFound), nil
	}
	return status(base.StatusOK), pub.stream
}

// OnPlay implements gortsplib.ServerHandlerOnPlay.
func (s *Server) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	stream := ctx.Session.SetuppedStream()
	s.mu.Lock()
	pub := s.live[strings.Trim(ctx.Session.SetuppedPath(), "/")]
	s.mu.Unlock()
	r, ok := ctx.Session.UserData().(*reading)
	if !ok || pub == nil || pub.stream != stream {
		return status(base.StatusNotFound), nil
	}
	if r.pub == nil { // a second PLAY changes nothing
		s.watched(pub.camera, r.user, remote(ctx.Conn))
		pub.readers.Add(1)
		r.pub, r.leave = pub, s.hub.Join(pub.camera)
	}
	admit(ctx.Conn)
	return status(base.StatusOK), nil
}

// OnSessionClose implements gortsplib.ServerHandlerOnSessionClose, for publishers and readers.
func (s *Server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	switch what := ctx.Session.UserData().(type) {
	case *publication:
		s.mu.Lock()
		if s.live[what.camera] == what {
			delete(s.live, what.camera)
		}
		s.mu.Unlock()
		what.feed.Close()
		what.stream.Close()
		s.log.Info("camera left", "camera", what.camera, "reason", ctx.Error.Error())
	case *reading:
		if what.pub != nil {
			what.pub.readers.Add(-1)
			what.leave()
		}
	}
}

// OnStreamWriteError implements gortsplib.ServerHandlerOnStreamWriteError: a reader is too slow. Leaving out single packets
// would show it garbage, so it is let go and may come again.
func (s *Server) OnStreamWriteError(ctx *gortsplib.ServerHandlerOnStreamWriteErrorCtx) {
	ctx.Session.Close()
}

// OnPacketsLost implements gortsplib.ServerHandlerOnPacketsLost; the fan-out counts them itself.
func (s *Server) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx) {}

// OnDecodeError implements gortsplib.ServerHandlerOnDecodeError; a packet that is none is left out.
func (s *Server) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx) {}
