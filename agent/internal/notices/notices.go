// Package notices gives the screens of a hall the notices that the centre has signed for them. They come by an order of the centre and over
// its road, or as a file that somebody carries; either way a screen gets what is in a bundle of package bundle and nothing else.
package notices

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/internal/orders"
	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/private"
	"halledge/firmware-protocols/hallsync"
)

// Directory is the name of the shelf's directory below the agent's data.
const Directory = "notices"

// Options of Open. All but Gate and Fetch are required.
type Options struct {
	Dir   string
	Hall  hallsync.HallID
	Keys  func() []gm.PublicKey // that the centre signs notices with
	Now   func() time.Time      // never earlier than a time that the centre has signed
	Gate  *orders.Gate          // nil: nobody orders
	Fetch Fetch                 // nil: what is ordered is brought by hand
	Log   *slog.Logger
}

// Fetch asks the centre for the archive of a bundle.
type Fetch func(ctx context.Context, id string) (io.ReadCloser, error)

// Shelf keeps the bundles of the hall's groups of screens. It is safe for concurrent use, also beside another process that installs one.
type Shelf struct {
	o    Options
	root *os.Root
	wake chan struct{} // of Run: there is something to do

	work   sync.Mutex // held while the directory is worked on; nobody who shows something waits for it
	state  state
	stored map[string][]*bundle.Stored // by group, the newest last

	mu       sync.Mutex
	playing  map[string]*playing // by group
	newest   map[string]int64    // by group, the newest version that is there
	groups   map[string]Trouble  // by group
	screens  map[string]Trouble  // by screen
	odd      map[string]string   // directories that are not signed as their names say, and of which group these speak
	watchers map[chan struct{}]struct{}
	until    map[showing]time.Time // a screen may report what is no longer in force
}

// Program is what the screens of a group show, in its order. Version is 0 of the page that is built in: there should be notices, and none of
// them may be shown.
type Program struct {
	Group   string  `json:"group"`
	Version int64   `json:"version"`
	Items   []Slide `json:"items"`
}

// Slide is an item of a program. Width and Height are those of a picture in dots, 0 of a text.
type Slide struct {
	Path   string      `json:"path"`
	Type   bundle.Type `json:"type"`
	SM3    string      `json:"sm3"`
	Width  int         `json:"width"`
	Height int         `json:"height"`
}

// playing is a program and where its items are.
type playing struct {
	Program
	from *bundle.Stored
}

// Kind is what a trouble of notices is, by the name of its condition.
type Kind string

// The kinds.
const (
	Refused Kind = "notice_refused" // a bundle was not taken
	Altered Kind = "notice_altered" // what is stored, or what a screen shows, is not what was signed
)

// Trouble is something that somebody should look at. Subject is a group of screens or a screen, Detail a code or a path.
type Trouble struct {
	Kind    Kind
	Subject string
	Detail  string
}

// showing is a program that screens have shown.
type showing struct {
	group   string
	version int64
}

// Open gives the shelf and what is on it. What is there and not signed is shown to nobody. It fails with *private.UnsafeError in data of another
// account: a file that the agent may not read would keep it from starting.
func Open(o Options) (*Shelf, error) {
	if err := private.Mine(filepath.Dir(o.Dir)); err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	s := &Shelf{
		o: o, root: root, wake: make(chan struct{}, 1), playing: map[string]*playing{}, groups: map[string]Trouble{}, screens: map[string]Trouble{},
		watchers: map[chan struct{}]struct{}{}, until: map[showing]time.Time{},
	}
	if err := s.locked(s.load); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// Close gives the directory back.
func (s *Shelf) Close() error { return s.root.Close() }

// locked runs do while nobody else works on the shelf, here or in another process.
func (s *Shelf) locked(do func() error) (err error) {
	s.work.Lock()
	defer s.work.Unlock()
	lock, err := s.root.OpenFile(".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("notices: lock: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("notices: lock: %w", err)
	}
	return do()
}

// Program gives what the screens of a group show now; ok is false where the centre has nothing for them.
func (s *Shelf) Program(group string) (p Program, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.playing[group]; p != nil {
		return p.Program, true
	}
	_, bad := s.groups[group]
	for _, of := range s.odd {
		bad = bad || of == group
	}
	if bad {
		return Program{Group: group, Items: []Slide{}}, true
	}
	return Program{}, false
}

// Item gives the content of an item of the program in force, checked once more as it leaves. ok is false for everything else.
func (s *Shelf) Item(group string, version int64, path string) (data []byte, item bundle.Item, ok bool) {
	s.mu.Lock()
	p := s.playing[group]
	s.mu.Unlock()
	if p == nil || p.Version != version {
		return nil, bundle.Item{}, false
	}
	n := slices.IndexFunc(p.from.Manifest.Items, func(i bundle.Item) bool { return i.Path == path })
	if n < 0 {
		return nil, bundle.Item{}, false
	}
	item = p.from.Manifest.Items[n]
	data, err := p.from.Read(item)
	if err != nil {
		s.mu.Lock()
		if s.playing[group] == p {
			s.altered(group, path, err)
		}
		s.mu.Unlock()
		s.tell()
		return nil, bundle.Item{}, false
	}
	return data, item, true
}

// altered takes a program away whose files are not what was signed. mu is held.
func (s *Shelf) altered(group, path string, err error) {
	if s.groups[group].Kind != Altered {
		s.o.Log.Error("notices altered on the disk", "group", group, "item", path, "error", err)
	}
	delete(s.playing, group)
	s.groups[group] = Trouble{Altered, group, path}
}

// Shown takes what a screen says that it shows, and reports whether that is what it was given. A browser cannot digest with SM3: it tells
// which items it shows and how large their pictures came out, not what their dots are.
func (s *Shelf) Shown(screen string, p Program) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	good := p.Version == 0 && len(p.Items) == 0 // the page that is built in is no notice of anybody
	if now := s.playing[p.Group]; now != nil && now.Version == p.Version {
		good = slices.Equal(now.Items, p.Items)
	} else if until, was := s.until[showing{p.Group, p.Version}]; was {
		good = s.o.Now().Before(until)
	}
	if !good && s.screens[screen] == (Trouble{}) {
		s.o.Log.Error("a screen shows notices that it was not given", "screen", screen, "version", p.Version)
	}
	delete(s.screens, screen)
	if !good {
		s.screens[screen] = Trouble{Altered, screen, fmt.Sprint(p.Version)}
	}
	return good
}

// Troubles lists what somebody should look at.
func (s *Shelf) Troubles() []Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Trouble
	for _, of := range []map[string]Trouble{s.groups, s.screens} {
		for _, subject := range slices.Sorted(maps.Keys(of)) {
			out = append(out, of[subject])
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(s.odd)) {
		if _, said := s.groups[s.odd[dir]]; !said {
			out = append(out, Trouble{Altered, s.odd[dir], dir})
		}
	}
	return out
}

// Standing is how it is with the notices of one group of screens.
type Standing struct {
	Shows  int64 // version in force; 0: none, or the page that is built in
	Latest int64 // the newest version that is there; its time may not have come
	Kind   Kind  // of its trouble; empty: all is well
}

// Standings gives how it is with the groups that there is anything of.
func (s *Shelf) Standings() map[string]Standing {
	troubles := s.Troubles()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Standing{}
	for group, version := range s.newest {
		out[group] = Standing{Latest: version}
	}
	for group, p := range s.playing {
		st := out[group]
		st.Shows = p.Version
		out[group] = st
	}
	for _, t := range troubles {
		if s.screens[t.Subject] == t { // of one screen: who knows its group says so
			continue
		}
		st := out[t.Subject]
		st.Kind = t.Kind
		out[t.Subject] = st
	}
	return out
}

// Watch gives a channel that has a value when a program may have changed.
func (s *Shelf) Watch() (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, c)
	}
}

// tell has those look who watch.
func (s *Shelf) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers {
		select {
		case c <- struct{}{}:
		default: // it will look anyway
		}
	}
}
