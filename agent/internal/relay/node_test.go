package relay

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"
)

// node is a far end that takes streams: an RTSP server which keeps the packets it gets, and can stop reading.
type node struct {
	t        *testing.T
	hall     string
	password string
	server   *gortsplib.Server
	addr     string

	mu       sync.Mutex
	announce map[string]int // ANNOUNCE requests that were let in, by path
	asked    int            // requests of any kind
	logins   int            // requests with a login
	refused  int            // requests with a wrong login
	packets  map[string][]*rtp.Packet
	block    chan struct{} // closed: reading goes on; nil: it never stopped
}

// startNode listens on addr, or on a free port when it is empty. A password that is empty is not asked for.
func startNode(t *testing.T, addr, hall, password string) *node {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return startNodeOn(t, ln, hall, password)
}

func startNodeOn(t *testing.T, ln net.Listener, hall, password string) *node {
	t.Helper()
	n := &node{t: t, hall: hall, password: password, addr: ln.Addr().String(),
		announce: make(map[string]int), packets: make(map[string][]*rtp.Packet)}
	n.server = &gortsplib.Server{
		Handler:     n,
		RTSPAddress: n.addr,
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestMD5},
		Listen:      func(string, string) (net.Listener, error) { return smallBuffers{ln}, nil },
	}
	if err := n.server.Start(); err != nil {
		t.Fatal(err)
	}
	return n
}

// smallBuffers makes a node that stops reading felt at once.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	raw := c
	if secured, ok := c.(interface{ NetConn() net.Conn }); ok {
		raw = secured.NetConn()
	}
	return c, raw.(*net.TCPConn).SetReadBuffer(64 << 10)
}

func (n *node) url() string { return "rtsp://" + n.addr }

func (n *node) close() {
	n.resume()
	n.server.Close()
}

// stall stops reading all streams; resume goes on.
func (n *node) stall() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.block = make(chan struct{})
}

func (n *node) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.block != nil {
		close(n.block)
		n.block = nil
	}
}

// received gives the packets of a camera so far.
func (n *node) received(code string) []*rtp.Packet {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.packets["/"+code]
}

func (n *node) announced(code string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.announce["/"+code]
}

func (n *node) badLogins() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refused
}

// heard gives how often it was asked for something, and how often with a login.
func (n *node) heard() (asked, logins int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked, n.logins
}

// OnRequest implements gortsplib.ServerHandlerOnRequest.
func (n *node) OnRequest(_ *gortsplib.ServerConn, req *base.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if _, given := req.Header["Authorization"]; given || req.URL.User != nil {
		n.logins++
	}
}

// OnAnnounce implements gortsplib.ServerHandlerOnAnnounce.
func (n *node) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.password != "" && !ctx.Conn.VerifyCredentials(ctx.Request, n.hall, n.password) {
		if _, given := ctx.Request.Header["Authorization"]; given {
			n.refused++
		}
		return &base.Response{StatusCode: base.StatusUnauthorized}, liberrors.ErrServerAuth{}
	}
	if len(ctx.Description.Medias) != 1 || ctx.Description.Medias[0].Type != description.MediaTypeVideo {
		return &base.Response{StatusCode: base.StatusBadRequest}, fmt.Errorf("announced %+v", ctx.Description.Medias)
	}
	n.announce[ctx.Path]++
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnSetup implements gortsplib.ServerHandlerOnSetup.
func (n *node) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil, nil
}

// OnRecord implements gortsplib.ServerHandlerOnRecord.
func (n *node) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	ctx.Session.OnPacketRTPAny(func(_ *description.Media, _ format.Format, p *rtp.Packet) {
		n.mu.Lock()
		n.packets[ctx.Path] = append(n.packets[ctx.Path], p)
		block := n.block
		n.mu.Unlock()
		if block != nil {
			<-block
		}
	})
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnPacketsLost implements gortsplib.ServerHandlerOnPacketsLost; the tests look at the sequence numbers themselves.
func (n *node) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx) {}

// OnDecodeError implements gortsplib.ServerHandlerOnDecodeError.
func (n *node) OnDecodeError(ctx *gortsplib.ServerHandlerOnDecodeErrorCtx) {
	n.t.Errorf("node cannot read the stream: %v", ctx.Error)
}
