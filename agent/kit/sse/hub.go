package sse

import "sync"

// Hub gives each event to all who listen. It is safe for concurrent use and starts no goroutine.
type Hub struct {
	mu     sync.Mutex
	buffer int
	closed bool
	ears   map[chan Event]struct{}
}

// NewHub makes a hub whose listeners may fall behind by at most buffer events.
func NewHub(buffer int) *Hub { return &Hub{buffer: max(buffer, 1), ears: map[chan Event]struct{}{}} }

// Listen gives the events from now on. The channel is closed when the listener fell behind, when the hub closed, or after
// cancel; who was cut off starts again with a snapshot. cancel may be called more than once.
func (h *Hub) Listen() (events <-chan Event, cancel func()) {
	ear := make(chan Event, h.buffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(ear)
		return ear, func() {}
	}
	h.ears[ear] = struct{}{}
	return ear, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(ear)
	}
}

// Publish gives an event to all listeners. It never waits: a listener whose buffer is full is cut off.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ear := range h.ears {
		select {
		case ear <- e:
		default:
			h.drop(ear)
		}
	}
}

// Close ends all listeners; later ones end at once.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ear := range h.ears {
		h.drop(ear)
	}
}

func (h *Hub) drop(ear chan Event) {
	if _, there := h.ears[ear]; there {
		delete(h.ears, ear)
		close(ear)
	}
}
