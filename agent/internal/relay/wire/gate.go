package wire

// Level is how much waits on the line to the node.
type Level int

// The levels.
const (
	Room  Level = iota // little or nothing
	Tight              // too much to begin again
	Full               // too much to go on
)

// Gate decides which packets go on when the line to the node is slower than the camera. It never takes single packets out of a
// picture: it closes between two pictures and opens again where a key frame begins, so that the other end sees groups of
// pictures with nothing missing before their end. The zero Gate is open.
type Gate struct {
	Packets uint64 // left out
	Groups  uint64 // times the gate closed

	begun   bool
	closed  bool
	spoiled bool // a part of the picture at ts was left out, so the picture cannot be the one to open with
	ts      uint32
}

// Pass reports whether a packet with RTP timestamp ts goes on.
func (g *Gate) Pass(ts uint32, k Kind, waiting Level) bool {
	if !g.begun || ts != g.ts {
		g.begun, g.spoiled, g.ts = true, false, ts
		if waiting == Full && !g.closed {
			g.closed = true
			g.Groups++
		}
	}
	if g.closed && k == Key && waiting == Room && !g.spoiled {
		g.closed = false
	}
	if g.closed {
		g.spoiled = g.spoiled || k != Other
		g.Packets++
	}
	return !g.closed
}

// Shut closes the gate at once, in the middle of a picture: the line took no more.
func (g *Gate) Shut() {
	if !g.closed {
		g.Groups++
	}
	g.closed, g.spoiled = true, true
}
