package notices

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/whole"
	"halledge/firmware-protocols/hallsync"
)

// state is what the shelf remembers beside the bundles.
type state struct {
	Floors    map[string]int64        `json:"floors"`              // by group, the lowest version that is still taken
	Withdrawn map[string]int64        `json:"withdrawn,omitempty"` // by group, the lowest version that is still shown
	Ordered   hallsync.NoticesOrdered `json:"ordered"`             // the centre's last order
}

func (s *state) raise(group string, version int64) { s.Floors[group] = max(s.Floors[group], version) }

// withdraw notes that nothing of a group up to a version is shown any more, or taken again.
func (s *state) withdraw(group string, version int64) {
	if s.Withdrawn == nil {
		s.Withdrawn = map[string]int64{}
	}
	s.Withdrawn[group] = max(s.Withdrawn[group], version+1)
	s.raise(group, version+1)
}

// stateFile holds the state, maxState bounds it.
const (
	stateFile = "state.json"
	maxState  = 64 << 10
)

// load reads the shelf anew and plays what is on it. What was begun and not finished goes.
func (s *Shelf) load() error {
	if err := s.loadState(); err != nil {
		return err
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	s.stored = map[string][]*bundle.Stored{}
	odd := map[string]string{}
	for _, name := range names {
		if strings.HasPrefix(name, bundle.Unfinished) {
			if err := s.root.RemoveAll(name); err != nil {
				return fmt.Errorf("notices: %w", err)
			}
			continue
		}
		b, err := bundle.Load(s.root, name, s.o.Keys()...)
		if err == nil && b.Manifest.Hall == s.o.Hall && dirOf(b.Manifest) == name {
			if b.Manifest.Version < s.state.Withdrawn[b.Manifest.Group] { // the power went before it was taken away
				if err := s.root.RemoveAll(name); err != nil {
					return fmt.Errorf("notices: %w", err)
				}
				continue
			}
			s.state.raise(b.Manifest.Group, b.Manifest.Version)
			s.stored[b.Manifest.Group] = append(s.stored[b.Manifest.Group], b)
			continue
		}
		s.o.Log.Warn("notices on the disk are not the centre's", "directory", name, "error", err)
		if end := strings.LastIndexByte(name, '-'); end > 0 && bundle.ValidGroup(name[:end]) {
			odd[name] = name[:end]
		}
	}
	for _, list := range s.stored {
		slices.SortFunc(list, func(a, b *bundle.Stored) int { return int(a.Manifest.Version - b.Manifest.Version) })
	}
	s.mu.Lock()
	maps.DeleteFunc(s.groups, func(_ string, t Trouble) bool { return t.Kind == Altered })
	s.odd = odd
	s.mu.Unlock()
	return s.choose(true)
}

// dirOf names the directory of a bundle.
func dirOf(m bundle.Manifest) string { return fmt.Sprintf("%s-%d", m.Group, m.Version) }

func (s *Shelf) loadState() error {
	s.state = state{Floors: map[string]int64{}}
	f, err := s.root.Open(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	var read state
	if len(raw) > maxState || json.Unmarshal(raw, &read) != nil || read.Floors == nil {
		s.o.Log.Error("state of notices not understood, put aside")
		if err := s.root.Rename(stateFile, stateFile+".bad"); err != nil {
			return fmt.Errorf("notices: %w", err)
		}
		return nil
	}
	s.state = read
	return nil
}

// keep brings the state to the disk.
func (s *Shelf) keep() error {
	raw, err := json.Marshal(s.state)
	if err == nil {
		err = whole.Write(filepath.Join(s.o.Dir, stateFile), raw)
	}
	if err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	return nil
}

// changed is when the state was written last; zero if nobody ever did.
func (s *Shelf) changed() time.Time {
	info, err := os.Stat(filepath.Join(s.o.Dir, stateFile))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// names lists the directories on the shelf.
func (s *Shelf) names() (names []string, err error) {
	d, err := s.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	entries, err := d.ReadDir(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// find gives the bundle of a version, nil if it is not there.
func (s *Shelf) find(group string, version int64) *bundle.Stored {
	for _, b := range s.stored[group] {
		if b.Manifest.Version == version {
			return b
		}
	}
	return nil
}

// late is for how long a screen may go on to report what it showed before.
const late = 2 * time.Minute

// choose decides what is in force: of each group the newest bundle whose time has come and is not over. What is older than that one is taken
// away, so that a clock that is set back brings nothing back. With whole all that is in force is read again.
func (s *Shelf) choose(whole bool) error {
	now := s.o.Now()
	var errs []error
	next, newest := map[string]*bundle.Stored{}, map[string]int64{}
	for group, list := range s.stored {
		for _, b := range slices.Backward(list) {
			newest[group] = max(newest[group], b.Manifest.Version)
			if next[group] != nil {
				errs = append(errs, s.drop(b))
			} else if b.Manifest.InForce(now) {
				next[group] = b
			}
		}
	}
	s.mu.Lock()
	before := s.playing
	s.mu.Unlock()
	programs := map[string]*playing{}
	faults := map[string]Trouble{}
	for group, b := range next {
		if old := before[group]; !whole && old != nil && old.from == b {
			programs[group] = old
		} else if p, path, err := play(b); err == nil {
			programs[group] = p
		} else {
			s.o.Log.Error("notices altered on the disk", "group", group, "item", path, "error", err)
			faults[group] = Trouble{Altered, group, path}
		}
	}
	if s.put(programs, faults, newest) {
		s.tell()
	}
	return errors.Join(errs...)
}

// put takes programs into force and reports whether anything is other than before.
func (s *Shelf) put(programs map[string]*playing, faults map[string]Trouble, newest map[string]int64) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	troubles := maps.Clone(s.groups)
	now := s.o.Now()
	maps.DeleteFunc(s.until, func(_ showing, end time.Time) bool { return !now.Before(end) })
	for group, old := range s.playing {
		if next := programs[group]; next == nil || next.Version != old.Version {
			s.until[showing{group, old.Version}] = now.Add(late)
		}
	}
	maps.DeleteFunc(s.groups, func(group string, t Trouble) bool { return t.Kind == Altered && programs[group] != nil })
	maps.Copy(s.groups, faults)
	changed = !maps.Equal(s.playing, programs) || !maps.Equal(troubles, s.groups)
	s.playing, s.newest = programs, newest
	return changed
}

// play makes a program of a bundle, if all of it is as it was signed.
func play(b *bundle.Stored) (p *playing, path string, err error) {
	p = &playing{Program: Program{Group: b.Manifest.Group, Version: b.Manifest.Version}, from: b}
	for _, i := range b.Manifest.Items {
		data, err := b.Read(i)
		if err != nil {
			return nil, i.Path, err
		}
		dots := bundle.Dots(i.Type, data)
		p.Items = append(p.Items, Slide{Path: i.Path, Type: i.Type, SM3: i.SM3.String(), Width: dots.X, Height: dots.Y})
	}
	return p, "", nil
}

// drop takes a bundle off the shelf.
func (s *Shelf) drop(b *bundle.Stored) error {
	m := b.Manifest
	s.stored[m.Group] = slices.DeleteFunc(slices.Clone(s.stored[m.Group]), func(x *bundle.Stored) bool { return x == b })
	if err := s.root.RemoveAll(dirOf(m)); err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	return nil
}
