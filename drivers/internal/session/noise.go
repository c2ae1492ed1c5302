package session

import (
	"sync"
	"time"

	"halledge/drivers/device"
)

const (
	nonsense  = 64              // bytes without a single frame that no such device can have sent
	forgotten = 5 * time.Second // noise so long ago is over
)

// Noise judges the line of a device that speaks unasked: bytes that go on being no frame are another protocol, and one frame that came
// through is proof of the right one. Its methods may be called from any goroutine.
type Noise struct {
	session *Session
	what    string

	mu    sync.Mutex
	bytes int       // since the last frame
	last  time.Time // when the last of them came
}

// Noise gives the judge of a session's line; what is the detail of its health while the line says nonsense.
func (s *Session) Noise(what string) *Noise { return &Noise{session: s, what: what} }

// Begin forgets what was heard on an earlier connection. A device that speaks unasked says nothing before somebody does something.
func (n *Noise) Begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bytes = 0
	n.session.Good()
}

// Heard takes how many frames and how many bytes of none there were in what came.
func (n *Noise) Heard(frames, garbage int) {
	n.session.Garbage(garbage)
	n.mu.Lock()
	defer n.mu.Unlock()
	if garbage > 0 {
		n.last = time.Now()
	}
	if n.bytes += garbage; frames > 0 {
		n.bytes = 0
		n.session.Good()
	}
	if n.bytes >= nonsense {
		n.session.Degraded(device.CodeBadReply, n.what)
	}
}

// Forgive ends the verdict on a line that has become silent. It is to be called every now and then.
func (n *Noise) Forgive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bytes > 0 && time.Since(n.last) >= forgotten {
		n.bytes = 0
		n.session.Good()
	}
}
