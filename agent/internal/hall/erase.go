package hall

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Bounds of one look into the log.
const (
	eraseFacts = 1000
	eraseBytes = 8 << 20
)

// Erase makes the hall forget a person whom it knows by one of some digests: what the facts about him and his tickets and appointments say
// of him, the digests in its state, and what was answered about them. His tickets go on. When it returns, the file holds none of it.
// Once more with the same order does what is still left to do. It fails with *hallsync.SignedError for an order of anything but one person.
func (h *Hall) Erase(ctx context.Context, order hallsync.ErasePerson) error {
	if !order.Valid() {
		return &hallsync.SignedError{Why: hallsync.RefusedForm}
	}
	s := search{trail: hallsync.NewTrail(order.Persons), persons: order.Persons}
	for first := true; ; first = false { // then what was said of him between the look and the erasure
		if err := s.look(ctx, h.store); err != nil {
			return err
		}
		if !first && len(s.facts) == 0 {
			return h.store.Compact(ctx)
		}
		err := h.update(ctx, func(tx *store.Tx, now time.Time) error { return h.erase(tx, order, &s, now) })
		if err != nil {
			return err
		}
		s.facts = nil
	}
}

// erase is the part of Erase on the writer's goroutine.
func (h *Hall) erase(tx *store.Tx, order hallsync.ErasePerson, s *search, now time.Time) error {
	for _, p := range order.Persons { // a block is known by nothing but the digest
		end := queue.SetBlock{Person: p, Until: now, Reason: order.Order, By: hallsync.By{Kind: "cloud"}}
		if _, err := h.decide(tx, end, now); err != nil {
			return err
		}
	}
	f := hallsync.PersonErased{Order: order.Order, Facts: s.facts}
	f.Tickets, f.Bookings = h.ahead.Of(order.Persons)
	if err := tx.Erase(f, now, s.words(f)...); err != nil {
		return err
	}
	h.ahead.Apply(f, now)
	snapshot, err := json.Marshal(h.ahead)
	if err != nil {
		return err
	}
	tx.SetSnapshot(snapshot)
	return nil
}

// search finds the facts about a person.
type search struct {
	trail *hallsync.Trail

	persons []string
	last    hallsync.Seq // looked at
	facts   []hallsync.Range
}

// words are what answers about the person have in them: the tickets are as no other word is, of appointments only the whole name counts.
func (s *search) words(f hallsync.PersonErased) (words []string) {
	tickets, bookings := s.trail.Found()
	for _, id := range append(tickets, f.Tickets...) {
		words = append(words, string(id))
	}
	for _, id := range append(bookings, f.Bookings...) {
		words = append(words, strconv.Quote(string(id)))
	}
	return append(words, s.persons...)
}

// look goes on to the end of the log.
func (s *search) look(ctx context.Context, st *store.Store) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		raws, err := st.InClear().Read(s.last, eraseFacts, eraseBytes)
		if err != nil || len(raws) == 0 {
			return err
		}
		for _, raw := range raws {
			var e hallsync.Event
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("fact behind %d: %w", s.last, err)
			}
			s.last = e.Seq
			p, err := e.Decode()
			if err == nil && s.trail.Concerns(p) && e.Personal() {
				s.add(e.Seq)
			}
		}
	}
}

func (s *search) add(seq hallsync.Seq) {
	if n := len(s.facts); n > 0 && s.facts[n-1].To+1 == seq {
		s.facts[n-1].To = seq
		return
	}
	s.facts = append(s.facts, hallsync.Range{From: seq, To: seq})
}
