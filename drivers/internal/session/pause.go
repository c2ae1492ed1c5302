package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"halledge/drivers/internal/transport"
)

// nodePoll is the net under inotify: containers and link targets in other directories send no event.
const nodePoll = time.Second

// pause is the time between two attempts.
type pause struct {
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
	if nodeChanged(sleep, p.node, before) {
		p.reset() // its rights may follow in a moment: try often
	}
	return ctx.Err()
}

// nodeChanged waits until there is something else at path than before: a node appeared, was made again, or got other rights. It
// gives false when ctx ends first.
func nodeChanged(ctx context.Context, path string, before identity) bool {
	var events <-chan fsnotify.Event
	w, err := fsnotify.NewWatcher()
	if err == nil { // else there are no inotify instances left, and polling must do
		defer func() { _ = w.Close() }() // nobody waits for its events any more
		events = w.Events
	}
	poll := time.NewTicker(nodePoll)
	defer poll.Stop()
	var watched []string
	for {
		if dirs := folders(path); w != nil && !slices.Equal(dirs, watched) {
			watched = watch(w, dirs)
		}
		if now := identify(path); now != before {
			if now != "" {
				return true
			}
			before = now
		}
		select {
		case <-ctx.Done():
			return false
		case <-events:
		case <-poll.C:
		}
	}
}

// watch adds dirs to w and gives those that could be added.
func watch(w *fsnotify.Watcher, dirs []string) []string {
	var added []string
	for _, dir := range dirs {
		if w.Add(dir) == nil {
			added = append(added, dir)
		}
	}
	return added
}

// folders are the existing ones in which the nodes of path come and go. Those of a USB device may be of any kind.
func folders(path string) []string {
	if !transport.IsRef(path) {
		return []string{nearestDir(path)}
	}
	var dirs []string
	for _, dir := range []string{"/dev", "/dev/input", "/dev/usb", "/dev/snd"} {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// nearestDir is the deepest existing directory above path: /dev/serial/by-id itself goes and comes with its last device.
func nearestDir(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && st.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

// identity tells the nodes of one path apart, and a node whose rights were changed from what it was; empty is no node.
type identity string

func identify(path string) identity {
	if path == "" {
		return ""
	}
	var all strings.Builder
	for _, node := range transport.Nodes(path) {
		var st syscall.Stat_t
		if syscall.Stat(node, &st) == nil {
			fmt.Fprintf(&all, "%d %d %d.%d;", st.Dev, st.Ino, st.Ctim.Sec, st.Ctim.Nsec)
		}
	}
	return identity(all.String())
}
