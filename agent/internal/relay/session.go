package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/internal/relay/wire"
)

var (
	errStaleLogin = errors.New("login is not accepted any more")
	errNotRTP     = errors.New("sends its packets elsewhere than asked")
)

// session is one camera on its way to the node: two protocol clients and what carries the packets past them.
type session struct {
	codec   string
	fwd     *forward
	tap     *tap  // to the camera
	sink    *sink // to the node
	camera  *gortsplib.Client
	node    *gortsplib.Client
	channel int // the camera's RTP channel; -1 over UDP
	playing atomic.Bool
	login   login
	server  string // what the camera calls its program
	realm   string // and what it asks a password for
}

// login is what the camera's 401 answers said.
type login struct {
	onlyMD5 bool        // leave the SHA-256 challenge out: some cameras offer it and then refuse it
	offered atomic.Bool // a SHA-256 challenge came together with another one
	stale   atomic.Bool // in its newest 401 the camera wants a fresh nonce, the login itself was right
}

// open connects both ends. Pictures flow when it returns. The error is an *endError.
func (f *feed) open(ctx context.Context) (*session, error) {
	s, err := f.dial(ctx, false)
	var ended *endError
	if errors.As(err, &ended) && ended.reason == CameraLogin && s.login.offered.Load() {
		s, err = f.dial(ctx, true)
	}
	if err != nil {
		if errors.As(err, &ended) && ended.reason == CameraLogin && s.login.stale.Load() {
			return nil, end(CameraClosed, errStaleLogin)
		}
		return nil, err
	}
	return s, nil
}

// dial makes one attempt. The session comes back even with an error, closed, for what it learnt about the login.
func (f *feed) dial(ctx context.Context, onlyMD5 bool) (s *session, err error) {
	s = &session{fwd: &forward{}, channel: -1}
	s.login.onlyMD5 = onlyMD5
	addr, err := f.source.resolve(ctx, f.names, f.allowed)
	if err != nil {
		return s, fromCamera("resolve", err)
	}
	if err := s.start(f, addr); err != nil {
		return s, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	defer context.AfterFunc(ctx, s.close)()
	m, err := s.describe(f, addr)
	if err != nil {
		return s, err
	}
	s.codec, s.fwd.codec = m.codec, m.codec
	nodeChannel, err := s.publish(f, m)
	if err != nil {
		return s, err
	}
	s.fwd.start(s.sink, m.format.PayloadType(), byte(nodeChannel), time.Now())
	if s.channel < 0 {
		d := &datagrams{fwd: s.fwd}
		s.camera.OnPacketRTP(m.media, m.format, d.rtp)
		s.camera.OnPacketRTCP(m.media, d.rtcp)
	}
	if _, err = s.camera.Play(nil); err != nil {
		return s, fromCamera("play", err)
	}
	s.playing.Store(true)
	return s, nil
}

// start makes the two protocol clients; they dial when they are asked for something.
func (s *session) start(f *feed, addr netip.AddrPort) error {
	camera := client(f.source.hostPort(), func(ctx context.Context) (net.Conn, error) {
		conn, err := f.connect(ctx, addr.String())
		if err != nil {
			return nil, err
		}
		s.tap = newTap(conn, f.buffers, s.fwd)
		return s.tap, nil
	})
	transport := gortsplib.TransportTCP
	if f.camera.UDP {
		transport = gortsplib.TransportUDP
	}
	camera.Transport = &transport
	camera.OnResponse = s.answered
	node := client(f.road.hostPort, func(ctx context.Context) (net.Conn, error) {
		conn, err := f.identity.DialBy(ctx, f.road.by, f.road.hostPort, func(ctx context.Context) (net.Conn, error) {
			return dialTCP(ctx, f.road.hostPort)
		})
		if err != nil {
			return nil, err
		}
		s.sink = newSink(conn)
		return s.sink, nil
	})
	tcp := gortsplib.TransportTCP
	node.Transport = &tcp
	node.WriteQueueSize = 8 // only requests pass through the library
	node.DisableRTCPSenderReports = true
	if err := camera.Start2(); err != nil {
		return fromCamera("start", err)
	}
	if err := node.Start2(); err != nil {
		camera.Close()
		return fromNode("start", err)
	}
	s.camera, s.node = camera, node
	return nil
}

// medium is the stream that is relayed. Sound is never asked for: the halls' cameras are not to hear people.
type medium struct {
	media  *description.Media
	format format.Format
	codec  string
}

// pick finds the first video stream with a codec we can carry.
func pick(d *description.Session) (medium, bool) {
	for _, m := range d.Medias {
		if m.Type != description.MediaTypeVideo || m.IsBackChannel {
			continue
		}
		for _, f := range m.Formats {
			var codec string
			switch f.(type) {
			case *format.H264:
				codec = wire.H264
			case *format.H265:
				codec = wire.H265
			case *format.MJPEG:
				codec = wire.MJPEG
			default:
				continue
			}
			one := *m
			one.Formats = []format.Format{f}
			return medium{media: &one, format: f, codec: codec}, true
		}
	}
	return medium{}, false
}

// describe connects to the camera and sets its video stream up, ready to play.
func (s *session) describe(f *feed, addr netip.AddrPort) (medium, error) {
	u := withLogin(f.source.url, f.camera.User, f.camera.Password.Reveal())
	desc, _, err := s.camera.Describe(u)
	if err != nil {
		return medium{}, fromCamera("describe", err)
	}
	f.pin.Hear(pin.Said(s.server, s.realm, desc.Title))
	m, ok := pick(desc)
	if !ok {
		return medium{}, end(CameraNoVideo, fmt.Errorf("%d streams, none of them video we know", len(desc.Medias)))
	}
	res, err := s.camera.Setup(desc.BaseURL, m.media, 0, 0)
	if err != nil {
		return medium{}, fromCamera("set up", err)
	}
	var th headers.Transport
	if err := th.Unmarshal(res.Header["Transport"]); err != nil {
		return medium{}, end(CameraBadAnswer, err)
	}
	if th.Source != nil && !th.Source.Equal(net.IP(addr.Addr().AsSlice())) {
		return medium{}, end(CameraNotAllowed, errNotRTP)
	}
	if !f.camera.UDP {
		s.channel = th.InterleavedIDs[0] // the library has checked that they are there
		s.tap.tune(s.channel)
	}
	return m, nil
}

// publish announces the stream to the node and gives the node's RTP channel.
func (s *session) publish(f *feed, m medium) (int, error) {
	u := f.road.path(f.camera.Code)
	if f.road.by == identity.Plain { // elsewhere the certificate says who we are, and no password leaves the box
		u = withLogin(u, f.hall, f.password)
	}
	out := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{m.format}}
	if _, err := s.node.Announce(u, &description.Session{Medias: []*description.Media{out}}); err != nil {
		return 0, fromNode("announce", err)
	}
	res, err := s.node.Setup(u, out, 0, 0)
	if err != nil {
		return 0, fromNode("set up", err)
	}
	var th headers.Transport
	if err := th.Unmarshal(res.Header["Transport"]); err != nil {
		return 0, fromNode("set up", err)
	}
	if _, err := s.node.Record(); err != nil {
		return 0, fromNode("record", err)
	}
	return th.InterleavedIDs[0], nil
}

// answered sees every answer of the camera before the library does.
func (s *session) answered(res *base.Response) {
	if name := res.Header["Server"]; len(name) > 0 {
		s.server = name[0]
	}
	if res.StatusCode != base.StatusUnauthorized {
		return
	}
	if s.playing.Load() { // a keepalive; the library would go on with a login that is dead
		s.tap.fail(errStaleLogin)
		return
	}
	var rest base.HeaderValue
	stale := false
	for _, challenge := range res.Header["WWW-Authenticate"] {
		low := strings.ToLower(challenge)
		var asks headers.Authenticate
		if asks.Unmarshal(base.HeaderValue{challenge}) == nil {
			s.realm = asks.Realm
		}
		stale = stale || strings.Contains(low, "stale=true") || strings.Contains(low, `stale="true"`)
		if !strings.Contains(low, "sha-256") {
			rest = append(rest, challenge)
		}
	}
	s.login.stale.Store(stale)
	if len(rest) > 0 && len(rest) < len(res.Header["WWW-Authenticate"]) && !s.login.onlyMD5 {
		s.login.offered.Store(true)
	}
	if s.login.onlyMD5 && len(rest) > 0 {
		res.Header["WWW-Authenticate"] = rest
	}
}

// report tells a TCP camera how its packets arrive; the library does it over UDP. A camera that takes no report is one whose
// connection is over, which the tap sees.
func (s *session) report(now time.Time) {
	if s.channel < 0 {
		return
	}
	if frame := s.fwd.receiverReport(byte(s.channel+1), now); frame != nil {
		_, _ = s.tap.Write(frame)
	}
}

// close ends both ends and waits for them. It may be called again.
func (s *session) close() {
	s.camera.Close()
	s.node.Close()
}
