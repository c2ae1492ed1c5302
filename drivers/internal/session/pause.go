package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"halledge/drivers/attached"
	"halledge/drivers/internal/transport"
)

// pause is the time between two attempts.
type pause struct {
	root string // of sysfs and of the nodes
	node string
	n    int // attempts since the last reset
}

func (p *pause) reset() { p.n = 0 }

// step is the n-th pause without its jitter.
func step(n int) time.Duration {
	switch n {
	case 0:
		return 500 * time.Millisecond
	case 1:
		return time.Second
	case 2:
		return 2 * time.Second
	case 3:
		return 5 * time.Second
	default:
		return 10 * time.Second
	}
}

// jitter spreads d by a fifth to both sides, so that the devices of a hall do not all try in the same moment.
func jitter(d time.Duration) time.Duration { return d - d/5 + rand.N(2*d/5) }

// wait sleeps for the next pause, less when the node is another than before, and returns ctx's error when that ends first.
func (p *pause) wait(ctx context.Context, before identity) error {
	sleep, cancel := context.WithTimeout(ctx, jitter(step(p.n)))
	defer cancel()
	p.n++
	if p.node == "" {
		<-sleep.Done()
		return ctx.Err()
	}
	if p.nodeChanged(sleep, before) {
		p.reset() // its rights may follow in a moment: try often
	}
	return ctx.Err()
}

// nodeChanged waits until there is something else at the node's path than before: a node appeared, was made again, or got other
// rights. It gives false when ctx ends first.
func (p *pause) nodeChanged(ctx context.Context, before identity) bool {
	ctx, cancel := context.WithCancel(ctx)
	var paths []string
	if !transport.IsRef(p.node) { // else every node of the machine is watched anyway
		paths = []string{p.node}
	}
	hints := attached.Watch(ctx, p.root, paths...)
	defer func() {
		cancel()
		for range hints { // until it has stopped
		}
	}()
	for {
		if now := p.identify(); now != before {
			if now != "" {
				return true
			}
			before = now
		}
		if _, listens := <-hints; !listens {
			return false
		}
	}
}

// identity tells the nodes of one path apart, and a node whose rights were changed from what it was; empty is no node.
type identity string

func (p *pause) identify() identity {
	if p.node == "" {
		return ""
	}
	var all strings.Builder
	for _, node := range transport.Nodes(p.root, p.node) {
		var st syscall.Stat_t
		if syscall.Stat(node, &st) == nil {
			fmt.Fprintf(&all, "%d %d %d.%d;", st.Dev, st.Ino, st.Ctim.Sec, st.Ctim.Nsec)
		}
	}
	return identity(all.String())
}
