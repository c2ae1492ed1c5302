package person

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/google/uuid"
)

// Options are the parts of a Desk.
type Options struct {
	Store  *store.Store
	Vault  *vault.Vault
	Opener *sealed.Opener
	// Rebuild makes the projections of a hall again, after facts have gone.
	Rebuild func(tx *store.Tx, hall hallsync.HallID) (int, error)
	Term    time.Duration    // how long facts are kept
	Now     func() time.Time // nil: time.Now
}

// Desk answers people. It is safe for concurrent use, also beside another process.
type Desk struct{ o Options }

// New makes a Desk.
func New(o Options) *Desk {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o}
}

// Fact is one fact about a person, as the hall wrote it.
type Fact struct {
	Epoch   string          `json:"epoch"`
	Seq     hallsync.Seq    `json:"seq"`
	Kind    hallsync.Kind   `json:"kind"`
	At      time.Time       `json:"at"`
	Payload json.RawMessage `json:"payload"`
}

// Found is what a hall knows of a person.
type Found struct {
	Hall  hallsync.HallID `json:"hall"`
	Facts []Fact          `json:"facts"`
	// Unread are facts that nobody can read: their keys are destroyed, or have not come. Whom they are about nobody knows either.
	Unread int `json:"unread"`
}

const page = 512

// scrubPatience is for how long everybody waits while a reader holds the journal of the database: a person asked for it.
const scrubPatience = 10 * time.Second

// Find reads the log of a hall for a person who is known by one of the digests: the facts that name him, and all that happened to the tickets
// and appointments that were his. An empty digest is nobody's.
func (d *Desk) Find(ctx context.Context, hall hallsync.HallID, digests []string) (Found, error) {
	search := search{
		trail: hallsync.NewTrail(slices.DeleteFunc(slices.Clone(digests), func(s string) bool { return s == "" })),
		found: Found{Hall: hall, Facts: []Fact{}},
	}
	cursors, err := d.o.Store.Cursors(ctx, hall)
	if err != nil {
		return search.found, fmt.Errorf("find person: %w", err)
	}
	for _, c := range cursors {
		for after := hallsync.Seq(0); ; {
			events, err := d.o.Store.Facts(ctx, hall, c.Epoch, after, page)
			if err != nil {
				return search.found, fmt.Errorf("find person: %w", err)
			}
			for _, e := range events {
				after = e.Seq
				if err := d.look(ctx, &search, e); err != nil {
					return search.found, fmt.Errorf("find person: %w", err)
				}
			}
			if len(events) < page {
				break
			}
		}
	}
	return search.found, nil
}

// search is a Find on its way. Facts come in the order in which they happened: a ticket's first fact says whose it is.
type search struct {
	trail *hallsync.Trail
	found Found
}

func (d *Desk) look(ctx context.Context, s *search, e store.Event) error {
	fact, err := d.o.Opener.Open(e, sealed.From(ctx, d.o.Store))
	var no *sealed.Error
	var erased *hallsync.ErasedError
	switch {
	case errors.As(err, &erased):
		return nil
	case errors.As(err, &no):
		s.found.Unread++
		return nil
	case err != nil:
		return err
	}
	p, err := fact.Decode()
	if err != nil || !s.trail.Concerns(p) {
		return nil //nolint:nilerr // nobody knows what it says
	}
	s.found.Facts = append(s.found.Facts, Fact{Epoch: e.Epoch, Seq: e.Seq, Kind: e.Kind, At: fact.At, Payload: fact.Payload})
	return nil
}

// Actor is who asks on a person's behalf, for the audit.
type Actor struct {
	Name string
	By   string
}

// Note writes into the audit that somebody has looked for a person, and in which hall; not for whom.
func (d *Desk) Note(ctx context.Context, who Actor, action string, hall hallsync.HallID) error {
	return d.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.AddAudit(store.Audit{At: d.o.Now(), Actor: who.Name, By: who.By, Action: action, Subject: string(hall), Result: "ok"})
	})
}

// ErrNobody is an order to erase nobody.
var ErrNobody = errors.New("person: no digest")

// Erased is an order by which a person was erased.
type Erased struct {
	store.Erasure
	Unread int // facts that nobody can read: whether they are about the person the centre cannot know
}

// Erase has a hall forget a person: the bodies of what Find finds personal go at the centre at once, by an order that is delivered to the hall
// until it answers.
func (d *Desk) Erase(ctx context.Context, who Actor, reason string, hall hallsync.HallID, digests []string) (Erased, error) {
	now := d.o.Now()
	digests = slices.DeleteFunc(slices.Clone(digests), func(s string) bool { return s == "" })
	if len(digests) == 0 {
		return Erased{}, ErrNobody
	}
	found, err := d.Find(ctx, hall, digests)
	if err != nil {
		return Erased{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Erased{}, fmt.Errorf("erase person: %w", err)
	}
	order := store.Erasure{ID: id.String(), Hall: hall, Kind: store.ErasePerson, Actor: who.Name, Reason: reason, Made: now}
	if order.Args, err = d.wrap(order.ID, digests); err != nil {
		return Erased{}, fmt.Errorf("erase person: %w", err)
	}
	err = d.o.Store.Write(ctx, func(tx *store.Tx) error {
		order.Facts = 0
		for _, f := range found.Facts {
			if !(hallsync.Event{Kind: f.Kind, Payload: f.Payload}).Personal() {
				continue
			}
			gone, err := sealed.Erase(tx, hall, store.FactRef{Epoch: f.Epoch, Seq: f.Seq}, order.ID)
			if err != nil {
				return err
			}
			if gone {
				order.Facts++
			}
		}
		if err := tx.PutErasure(order); err != nil {
			return err
		}
		if _, err := d.o.Rebuild(tx, hall); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: who.Name, By: who.By, Action: store.ActionPersonErase, Subject: order.ID, Result: "ok"})
	})
	if err != nil {
		return Erased{}, fmt.Errorf("erase person: %w", err)
	}
	return Erased{order, found.Unread}, d.o.Store.Scrub(ctx, scrubPatience)
}

// sealedArgs is what an order says of whom, sealed: it lies in the database until the hall has answered.
type sealedArgs struct {
	Wraps  []hallsync.KeyWrap `json:"wraps"`
	Record []byte             `json:"record"`
}

const argsAbout = "hall-edge/v1/erase"

func (d *Desk) wrap(order string, digests []string) ([]byte, error) {
	key := gm.NewDataKey()
	plain, err := json.Marshal(digests)
	if err != nil {
		return nil, err
	}
	record, err := key.Seal(plain, argsAbout, order)
	if err != nil {
		return nil, err
	}
	wraps, err := d.o.Vault.Wrap(key.Wrap)
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealedArgs{wraps, record})
}

func (d *Desk) unwrap(order store.Erasure) ([]string, error) {
	var args sealedArgs
	if err := json.Unmarshal(order.Args, &args); err != nil {
		return nil, err
	}
	key, err := d.o.Vault.DataKey(args.Wraps)
	if err != nil {
		return nil, err
	}
	plain, err := key.Open(args.Record, argsAbout, order.ID)
	if err != nil {
		return nil, err
	}
	var digests []string
	return digests, json.Unmarshal(plain, &digests)
}

const (
	deliverWithin = 24 * time.Hour
	maxDeliver    = 16 // orders in one go; the others come at the next hello
)

// Orders gives what is to be delivered on down/commands to a hall that is there: a signed Command person.erase for each order that it has not
// answered. The command's ID is the order's.
func (d *Desk) Orders(ctx context.Context, hall hallsync.HallID) ([][]byte, error) {
	open, err := d.o.Store.OpenErasures(ctx, hall)
	if err != nil {
		return nil, fmt.Errorf("orders of hall: %w", err)
	}
	var list [][]byte
	for _, order := range open[:min(len(open), maxDeliver)] {
		raw, err := d.command(ctx, order)
		if err != nil {
			return nil, fmt.Errorf("order %s: %w", order.ID, err)
		}
		list = append(list, raw)
	}
	return list, nil
}

func (d *Desk) command(ctx context.Context, order store.Erasure) ([]byte, error) {
	digests, err := d.unwrap(order)
	if err != nil {
		return nil, err
	}
	args, err := json.Marshal(hallsync.ErasePerson{Order: order.ID, Persons: digests})
	if err != nil {
		return nil, err
	}
	now := d.o.Now().UTC()
	body, err := json.Marshal(hallsync.Command{
		ID: order.ID, Name: hallsync.CommandErasePerson, Args: args, Issued: order.Made.UTC(), NotAfter: now.Add(deliverWithin),
	})
	if err != nil {
		return nil, err
	}
	var number uint64
	err = d.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		number, err = tx.NextOrder(order.Hall, hallsync.SignedCommand, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return hallsync.Signed{
		Type: hallsync.SignedCommand, Hall: order.Hall, Seq: number, At: now, NotAfter: now.Add(deliverWithin), Body: body,
	}.Sign(d.o.Vault)
}
