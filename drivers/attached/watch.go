package attached

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How often there is a hint although nothing was heard: containers get no messages of the kernel, and a link may lead into a folder
// that nobody watches.
const (
	netPoll   = 5 * time.Second
	blindPoll = time.Second // where neither the kernel nor the file system tells anything
)

// Watch gives a channel that has a value after something may have been plugged in, pulled out or given other rights: any node of
// this machine, and what stands at paths. A value is a hint, never a promise: whoever gets one looks again. One that nobody took
// stands for all later ones, and nothing that happens after Watch has returned goes unnoticed. Watch listens until ctx ends; the
// channel is closed when it has stopped.
//
// root is that of Scan. The messages of the kernel and of udev are those of the real machine whatever root is.
func Watch(ctx context.Context, root string, paths ...string) <-chan struct{} {
	hints := make(chan struct{}, 1)
	w := &watcher{root: root, paths: paths, hints: hints, every: netPoll}
	var kerr, ferr error
	w.kernel, kerr = listen()
	w.files, ferr = fsnotify.NewWatcher()
	if kerr != nil && ferr != nil {
		w.every = blindPoll
	}
	w.follow()
	go w.run(ctx)
	return hints
}

type watcher struct {
	root    string
	paths   []string
	hints   chan<- struct{}
	every   time.Duration
	kernel  *socket           // nil: the machine has no such messages
	files   *fsnotify.Watcher // nil: there are no inotify instances left
	watched []string
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.hints)
	var all sync.WaitGroup
	defer all.Wait()
	heard := make(chan struct{}, 1)
	if w.kernel != nil {
		all.Go(func() { w.kernel.hear(heard) })
		defer w.kernel.close()
	}
	var changed <-chan fsnotify.Event
	var lost <-chan error
	if w.files != nil {
		defer func() { _ = w.files.Close() }() // nobody waits for its events any more
		changed, lost = w.files.Events, w.files.Errors
	}
	poll := time.NewTicker(w.every)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
		case <-changed:
		case <-lost: // more happened than the kernel could keep
		case <-poll.C:
		}
		w.follow()
		tell(w.hints)
	}
}

func tell(hints chan<- struct{}) {
	select {
	case hints <- struct{}{}:
	default: // one is waiting already
	}
}

// follow watches the folders in which nodes come and go now: they come and go themselves with their first and last node. One that
// was made meanwhile is seen by the second look.
func (w *watcher) follow() {
	for w.files != nil {
		now, more := w.folders(), false
		for _, dir := range now {
			if !slices.Contains(w.watched, dir) && w.files.Add(dir) == nil {
				w.watched, more = append(w.watched, dir), true
			}
		}
		w.watched = slices.DeleteFunc(w.watched, func(dir string) bool {
			left := !slices.Contains(now, dir)
			if left {
				_ = w.files.Remove(dir) // it may be gone altogether
			}
			return left
		})
		if !more {
			return
		}
	}
}

func (w *watcher) folders() []string {
	var dirs []string
	for _, path := range w.paths {
		dirs = append(dirs, nearest(path))
	}
	for _, dir := range []string{"dev", "dev/input", "dev/usb", "dev/snd", "dev/bus/usb"} {
		dirs = append(dirs, nearest(filepath.Join(w.root, dir, "node")))
	}
	buses, _ := filepath.Glob(filepath.Join(w.root, "dev/bus/usb/*")) // the pattern is right, and nothing else can fail
	dirs = append(dirs, slices.DeleteFunc(buses, func(dir string) bool { return !isDir(dir) })...)
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// nearest is the deepest existing folder above path: /dev/serial/by-id itself goes and comes with its last device.
func nearest(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if isDir(dir) || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
