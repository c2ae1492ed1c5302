package notices

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/firmware-protocols/hallsync"
)

// Install takes a bundle from a file. It fails with *bundle.Error for one that is not for this hall now; one that is there already is no fault.
func (s *Shelf) Install(path string) (m bundle.Manifest, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return s.take(f, "")
}

// take takes a bundle from an open file. id is that of the one that is wanted, empty for any.
func (s *Shelf) take(f *os.File, id string) (bundle.Manifest, error) {
	info, err := f.Stat()
	if err != nil {
		return bundle.Manifest{}, err
	}
	if !info.Mode().IsRegular() {
		return bundle.Manifest{}, &bundle.Error{Code: bundle.CodeForm}
	}
	a, err := bundle.Read(f, info.Size(), s.o.Keys()...)
	if err != nil {
		return bundle.Manifest{}, err
	}
	if id != "" && a.ID() != id {
		return a.Manifest, &bundle.Error{Code: bundle.CodeForm, Err: errors.New("not the one that was ordered")}
	}
	return a.Manifest, s.locked(func() error { return s.install(a) })
}

// install puts a bundle on the shelf, unless a later one was there.
func (s *Shelf) install(a *bundle.Archive) error {
	if err := s.load(); err != nil { // another process may have been here
		return err
	}
	m := a.Manifest
	there, floor := s.find(m.Group, m.Version), s.state.Floors[m.Group]
	switch {
	case m.Hall != s.o.Hall:
		return &bundle.Error{Code: bundle.CodeForeign}
	case m.Over(s.o.Now()):
		return &bundle.Error{Code: bundle.CodeExpired}
	case m.Version < floor || there != nil && there.ID != a.ID():
		return &bundle.Error{Code: bundle.CodeOld}
	case floor == 0 && len(s.state.Floors) >= bundle.MaxGroups:
		return &bundle.Error{Code: bundle.CodeForm, Err: errors.New("too many groups of screens")}
	case there != nil && there.Check() == nil:
		return nil
	}
	if err := s.root.RemoveAll(dirOf(m)); err != nil { // what is there is not what was signed
		return fmt.Errorf("notices: %w", err)
	}
	if err := a.Unpack(s.root, dirOf(m)); err != nil {
		return err
	}
	s.state.raise(m.Group, m.Version)
	if err := s.keep(); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.groups, m.Group)
	s.mu.Unlock()
	s.o.Log.Info("notices installed", "group", m.Group, "version", m.Version, "items", len(m.Items))
	return s.load()
}

// Ordered follows an order of the centre: what it names is fetched by Run, what it does not name is shown no more. It fails with
// *hallsync.SignedError for an order that is not to be followed.
func (s *Shelf) Ordered(raw []byte) error {
	if s.o.Gate == nil {
		return &hallsync.SignedError{Why: hallsync.RefusedForeign}
	}
	signed, err := s.o.Gate.Open(raw, hallsync.SignedNotices)
	if err != nil {
		return err
	}
	var order hallsync.NoticesOrdered
	if !hallsync.Exact(signed.Body, hallsync.MaxSigned, &order) || !sensible(order) {
		return &hallsync.SignedError{Why: hallsync.RefusedForm}
	}
	err = s.locked(func() error {
		if err := s.load(); err != nil {
			return err
		}
		groups := s.unnamed(order)
		for _, group := range groups {
			for _, b := range s.stored[group] {
				s.state.withdraw(group, b.Manifest.Version)
			}
		}
		s.state.Ordered = order
		if err := s.keep(); err != nil { // before anything goes: what is missing and was ordered would be fetched again
			return err
		}
		return s.withdraw(groups)
	})
	if err == nil {
		err = s.o.Gate.Followed(signed)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
	return err
}

// sensible reports whether an order names each group once, and bundles that there can be.
func sensible(order hallsync.NoticesOrdered) bool {
	groups := map[string]bool{}
	for _, b := range order.Bundles {
		var id bundle.Digest
		if !bundle.ValidGroup(b.Group) || groups[b.Group] || b.Version < 1 || id.UnmarshalText([]byte(b.ID)) != nil {
			return false
		}
		groups[b.Group] = true
	}
	return len(groups) <= bundle.MaxGroups
}

// unnamed lists the groups with something on the shelf, or a trouble, that an order does not name.
func (s *Shelf) unnamed(order hallsync.NoticesOrdered) (groups []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[string]bool{}
	for group := range s.stored {
		there[group] = true
	}
	for group, t := range s.groups {
		there[group] = there[group] || t.Kind == Refused
	}
	for _, b := range order.Bundles {
		delete(there, b.Group)
	}
	return slices.Sorted(maps.Keys(there))
}

// withdraw takes the bundles of groups away.
func (s *Shelf) withdraw(groups []string) error {
	for _, group := range groups {
		for _, b := range s.stored[group] {
			if err := s.drop(b); err != nil {
				return err
			}
		}
		s.o.Log.Info("notices withdrawn", "group", group)
	}
	s.mu.Lock()
	for _, group := range groups {
		if s.groups[group].Kind == Refused {
			delete(s.groups, group)
		}
	}
	s.mu.Unlock()
	return s.choose(false)
}

// How often the shelf is looked at: for bundles whose time comes or ends, and for what another process has installed; and how often all that is
// in force is read again.
const (
	lookEvery = 2 * time.Second
	readEvery = 10 * time.Minute
)

// Pauses between two attempts to fetch what was ordered.
const (
	fetchMin = 15 * time.Second
	fetchMax = 15 * time.Minute
)

// Run keeps what is shown and what is there together until ctx ends: it fetches what was ordered, and looks after what is on the disk.
func (s *Shelf) Run(ctx context.Context) error {
	look, read := time.NewTicker(lookEvery), time.NewTicker(readEvery)
	defer look.Stop()
	defer read.Stop()
	known, pause, next := s.changed(), fetchMin, time.Now()
	for {
		if !time.Now().Before(next) {
			if s.fetch(ctx) {
				pause = fetchMin
			} else {
				next = time.Now().Add(pause/2 + rand.N(pause/2))
				pause = min(2*pause, fetchMax)
			}
		}
		whole := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
			next = time.Now()
		case <-look.C:
		case <-read.C:
			whole = true
		}
		now := s.changed()
		if err := s.locked(func() error {
			if whole || !now.Equal(known) {
				return s.load()
			}
			return s.choose(false)
		}); err != nil {
			s.o.Log.Warn("notices not looked at", "error", err)
		}
		known = now
	}
}

// fetch fetches what was ordered and is not there, and reports whether nothing is left to do.
func (s *Shelf) fetch(ctx context.Context) (done bool) {
	if s.o.Fetch == nil {
		return true
	}
	s.work.Lock()
	var missing []hallsync.BundleOrdered
	for _, o := range s.state.Ordered.Bundles {
		if s.find(o.Group, o.Version) == nil && o.Version >= s.state.Floors[o.Group] {
			missing = append(missing, o)
		}
	}
	s.work.Unlock()
	done = true
	for _, o := range missing {
		err := s.fetchOne(ctx, o.ID)
		var refused *bundle.Error
		switch {
		case err == nil:
			continue
		case errors.As(err, &refused):
			s.mu.Lock()
			s.groups[o.Group] = Trouble{Refused, o.Group, string(refused.Code)}
			s.mu.Unlock()
			s.tell()
			fallthrough
		default:
			s.o.Log.Warn("notices not fetched", "group", o.Group, "version", o.Version, "error", err)
			done = false
		}
	}
	return done
}

// fetchTime bounds one download: 64 MiB at 2 Mbit/s.
const fetchTime = 5 * time.Minute

func (s *Shelf) fetchOne(ctx context.Context, id string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	body, err := s.o.Fetch(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // what matters was read
	const name = ".fetched"
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("notices: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), s.root.Remove(name)) }()
	if _, err := io.Copy(f, io.LimitReader(body, bundle.MaxArchive+1)); err != nil {
		return fmt.Errorf("notices: fetch: %w", err)
	}
	_, err = s.take(f, id)
	return err
}
