package halls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Run keeps the pictures fresh until ctx ends: it reads again what facts have changed, tells followers, notices silence, and
// saves presence now and then and at the end.
func (b *Board) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			// The last words must be saved although ctx has ended.
			return b.save(context.WithoutCancel(ctx))
		case <-b.work:
			b.freshen(ctx)
			select { // what comes in quick succession is read once
			case <-time.After(refresh):
			case <-ctx.Done():
			}
		case <-tick.C:
			b.listen()
		case <-save.C:
			if err := b.save(ctx); err != nil && ctx.Err() == nil {
				b.log.Error("presence not saved", "error", err)
			}
		}
	}
}

// listen looks for halls that have fallen silent.
func (b *Board) listen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.halls {
		if e.dirty |= b.restate(e); e.dirty != 0 {
			select {
			case b.work <- struct{}{}:
			default:
			}
		}
	}
}

// freshen reads what has changed of the dirty halls, and tells the followers.
func (b *Board) freshen(ctx context.Context) {
	b.mu.Lock()
	dirty := map[hallsync.HallID]Parts{}
	for id, e := range b.halls {
		if e.dirty != 0 {
			dirty[id], e.dirty = e.dirty, 0
		}
	}
	b.mu.Unlock()
	for id, parts := range dirty {
		if err := b.reload(ctx, id, parts); err != nil {
			if ctx.Err() == nil {
				b.log.Error("figures of hall not read", "hall", id, "error", err)
			}
			continue
		}
		b.tell(id, parts)
	}
}

// reload reads the figures of a hall that parts name.
func (b *Board) reload(ctx context.Context, id hallsync.HallID, parts Parts) error {
	var day store.Day
	var counts []store.QueueCount
	var windows []store.WindowRow
	var cursors []store.Cursor
	var unread int64
	var err1, err2, err3, err4, err5 error
	if parts&Tickets != 0 {
		if day, err1 = b.store.Day(ctx, id); err1 == nil {
			counts, err2 = b.store.QueueCounts(ctx, id, day.BusinessDay)
		}
	}
	if parts&Windows != 0 {
		windows, err3 = b.store.Windows(ctx, id)
	}
	if parts&Presence != 0 {
		cursors, err4 = b.store.Cursors(ctx, id)
		unread, err5 = b.store.Unread(ctx, id)
	}
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return fmt.Errorf("read figures of hall %s: %w", id, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.halls[id].status
	if parts&Tickets != 0 {
		s.Day, s.Counts = day, counts
	}
	if parts&Windows != 0 {
		s.Windows, s.WindowsOpen = len(windows), 0
		for _, w := range windows {
			if w.State == hallsync.WindowOpen {
				s.WindowsOpen++
			}
		}
	}
	if parts&Presence != 0 {
		s.epochs(cursors, b.now())
		s.Unread = unread
	}
	return nil
}

func (s *Status) epochs(cursors []store.Cursor, now time.Time) {
	first := len(cursors) - store.EpochsADay
	s.Restless = first >= 0 && cursors[first].Created.After(now.Add(-24*time.Hour))
	s.Epochs, s.Refused, s.Gone, s.ChainFaults = len(cursors), 0, 0, 0
	for _, c := range cursors {
		s.Refused += c.Refused
		s.ChainFaults += c.Faults
		s.Gone += c.Gone
		s.Cursor = c // in order of first sight: the last is in force
	}
}

// save stores the presence of the halls heard since the last time.
func (b *Board) save(ctx context.Context) error {
	b.mu.Lock()
	var list []store.Presence
	for id, e := range b.halls {
		if e.unsaved {
			list = append(list, store.Presence{Hall: id, Seen: e.status.Seen, Report: e.raw})
			e.unsaved = false
		}
	}
	b.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	err := b.store.Write(ctx, func(tx *store.Tx) error {
		for _, p := range list {
			if err := tx.PutPresence(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range list {
			b.halls[p.Hall].unsaved = true
		}
		return fmt.Errorf("save presence: %w", err)
	}
	return nil
}
