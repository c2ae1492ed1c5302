// Package fanout gives each camera's picture from its one publisher to any number of receivers. It puts the publisher's packets
// together into pictures, cuts each picture once for everybody, keeps the pictures since the last key frame so that a newcomer
// sees something at once, and never lets a slow receiver wait on another or on the publisher.
package fanout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
)

// silence is how long a publisher may send nothing before another one may take its place.
const silence = 2 * time.Second

// Errors of a Hub.
var (
	ErrBusy    = errors.New("camera has a publisher whose pictures arrive")
	ErrOffline = errors.New("camera has no publisher")
)

// Hub knows all cameras.
type Hub struct {
	demand  func(camera string, wanted bool)
	changed func(camera string)

	mu      sync.Mutex
	cameras map[string]*camera
}

// NewHub makes an empty hub. demand is told when the first receiver of a camera comes and when the last one has gone; changed
// is told when a camera began or stopped arriving or its receivers changed. Both are called in order and must neither block
// nor call the hub.
func NewHub(demand func(camera string, wanted bool), changed func(camera string)) *Hub {
	return &Hub{demand: demand, changed: changed, cameras: make(map[string]*camera)}
}

// camera is everything the hub knows of one camera.
type camera struct {
	live      *Publisher // nil: offline
	arrived   chan struct{}
	wanted    int       // receivers that are here or wait for it
	receivers int       // receivers that are here
	last      Status    // of the last publication, while there is none
	since     time.Time // of live or of its end
}

// at gives the entry of a camera. mu is held. Callers name only registered cameras, which bounds the map.
func (h *Hub) at(code string) *camera {
	c := h.cameras[code]
	if c == nil {
		c = &camera{arrived: make(chan struct{})}
		h.cameras[code] = c
	}
	return c
}

// Publish begins a publication. It fails with ErrBusy while another publisher sends pictures, and takes over from one that has
// fallen silent, calling its ended. ended must not block.
func (h *Hub) Publish(code string, f format.Format, ended func()) (*Publisher, error) {
	a, err := newAssembler(f)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	c := h.at(code)
	old := c.live
	now := time.Now()
	if old != nil && !old.silent(now) {
		h.mu.Unlock()
		return nil, ErrBusy
	}
	p := newPublisher(h, code, a, now, ended)
	c.live, c.since = p, now
	close(c.arrived)
	c.arrived = make(chan struct{})
	h.changed(code)
	h.mu.Unlock()
	if old != nil {
		old.end()
		old.ended()
	}
	return p, nil
}

// leave takes a publisher out, unless another one has its place already.
func (h *Hub) leave(p *Publisher) {
	status := p.status(time.Now())
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.cameras[p.code]; c.live == p {
		c.live, c.last, c.since = nil, status, time.Now()
		h.changed(p.code)
	}
}

// Want says that a receiver wants the camera, and waits until its pictures arrive or ctx ends, then with ErrOffline. release
// must be called once when the receiver does not want it any more, also after an error.
func (h *Hub) Want(ctx context.Context, code string) (release func(), err error) {
	h.mu.Lock()
	c := h.at(code)
	if c.wanted++; c.wanted == 1 {
		h.demand(code, true)
	}
	live, arrived := c.live != nil, c.arrived
	h.mu.Unlock()
	release = sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if c.wanted--; c.wanted == 0 {
			h.demand(code, false)
		}
	})
	if live {
		return release, nil
	}
	select {
	case <-arrived:
		return release, nil
	case <-ctx.Done():
		return release, ErrOffline
	}
}

// Join counts a receiver in; leave counts it out.
func (h *Hub) Join(code string) (leave func()) {
	h.count(code, 1)
	return sync.OnceFunc(func() { h.count(code, -1) })
}

func (h *Hub) count(code string, by int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at(code).receivers += by
	h.changed(code)
}

// Live gives what a camera's stream is now, or ErrOffline.
func (h *Hub) Live(code string) (Info, error) {
	p := h.publisher(code)
	if p == nil {
		return Info{}, ErrOffline
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.about, nil
}

// Subscribe begins to receive a camera's pictures, or fails with ErrOffline.
func (h *Hub) Subscribe(code string) (*Subscription, error) {
	p := h.publisher(code)
	if p == nil {
		return nil, ErrOffline
	}
	return p.subscribe()
}

func (h *Hub) publisher(code string) *Publisher {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.cameras[code]; c != nil {
		return c.live
	}
	return nil
}

// Cameras gives the status of every camera that was ever published or wanted, in the order of their codes.
func (h *Hub) Cameras() []Status {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Status, 0, len(h.cameras))
	for code, c := range h.cameras {
		s := c.last
		if c.live != nil {
			s = c.live.status(now)
		}
		s.Camera, s.Live, s.Since, s.Viewers = code, c.live != nil, c.since, c.receivers
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Camera, b.Camera) })
	return out
}

// Status is one camera at this node. Of a camera that is not live, the figures are its last ones.
type Status struct {
	Camera string
	Live   bool
	Since  time.Time // of the present Live
	Info
	FPS       float64 // over the last seconds; 0 when nothing arrives
	BitsPS    int64
	Viewers   int // receivers by WHEP and RTSP
	LastFrame time.Time
	LastKey   time.Time
	GOPFrames int    // pictures a newcomer is shown at once
	Frames    uint64 // pictures since the publication began
	Packets   uint64
	Lost      uint64 // packets missing between camera and node
}
