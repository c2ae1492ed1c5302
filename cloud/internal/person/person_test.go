package person_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/journal"
	"halledge/cloud/internal/person"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	hall   = hallsync.HallID("440900000000001")
	number = "991101199003070016"
	other  = "991101198811120021"
	said   = "办事员张三态度很好，我的电话是 13800000000"
	note   = "老人腿脚不便，请扶一下"
)

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// life is a centre with a hall at which two people have been.
type life struct {
	*sealedtest.Centre
	desk *person.Desk
	key  []byte // of the hall's index, as its box has it
}

func begin(t *testing.T) *life {
	t.Helper()
	c := sealedtest.Open(t, hall, start)
	l := &life{Centre: c, desk: person.New(person.Options{
		Store: c.Store, Vault: c.Vault, Opener: c.Opener, Rebuild: c.Ingest.RebuildHall, Term: 366 * 24 * time.Hour, Now: func() time.Time { return c.Now },
	})}
	box, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	l.key = indexKeys(t, l, box)[0]
	c.Begin(chain.First, chain.Point{})
	c.NewKey("2026-11-23", false)
	mine, theirs := gm.Pseudonym(l.key, number), gm.Pseudonym(l.key, other)
	for _, p := range []hallsync.Payload{
		taken("T1", "A001", mine), taken("T2", "A002", theirs), // 3, 4
		hallsync.TicketCalled{Ticket: "T1", Number: "A001", Queue: "A", Window: "1", How: "next"}, // 5
		hallsync.TicketTransferred{Ticket: "T1", From: "1", Queue: "B", Position: hallsync.AtEnd, Note: note},
		hallsync.TicketRated{Ticket: "T1", Window: "1", Grade: hallsync.Fair, Text: said}, // 7
		hallsync.BookingSet{Booking: "B1", Queue: "A", Start: start, End: start.Add(time.Hour), Person: mine},
		hallsync.BookingMissed{Booking: "B1"},
		hallsync.PersonBlocked{Person: mine, Until: start.Add(time.Hour), Reason: note}, // 10
		hallsync.TicketRated{Ticket: "T2", Window: "1", Grade: hallsync.Fair, Text: "好"},
	} {
		c.Add(p)
	}
	c.Checkpoint()
	c.Send(0)
	return l
}

func taken(id hallsync.TicketID, n, digest string) hallsync.TicketTaken {
	return hallsync.TicketTaken{
		Ticket: id, Number: n, FlowNo: "20261123" + n, BusinessDay: "2026-11-23", Queue: "A", Class: hallsync.Normal,
		Channel: hallsync.AtKiosk, Proof: hallsync.ProofIDCard, Person: digest, By: hallsync.By{Kind: "kiosk", ID: "1"},
	}
}

// indexKeys gives the keys of the hall's index as its box opens them.
func indexKeys(t *testing.T, l *life, box gm.PrivateKey) [][]byte {
	t.Helper()
	keys, err := l.desk.IndexKeys(t.Context(), hall, box.Public())
	if err != nil {
		t.Fatal(err)
	}
	var secrets [][]byte
	for _, k := range keys {
		secret, err := box.Unwrap(k.Wrapped)
		if err != nil || k.ID == "" {
			t.Fatalf("%q, %v", k.ID, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets
}

func (l *life) find(t *testing.T, digests []string) []hallsync.Seq {
	t.Helper()
	found, err := l.desk.Find(t.Context(), hall, digests)
	if err != nil {
		t.Fatal(err)
	}
	seqs := []hallsync.Seq{}
	for _, f := range found.Facts {
		seqs = append(seqs, f.Seq)
	}
	return seqs
}

func (l *life) digests(t *testing.T, number string) []string {
	t.Helper()
	digests, err := l.desk.Digests(t.Context(), hall, number)
	if err != nil {
		t.Fatal(err)
	}
	return digests
}

// What is found of a person is what names him and what happened to his ticket and appointment, and nothing of anybody else.
func TestFind(t *testing.T) {
	l := begin(t)
	if got := l.find(t, l.digests(t, " "+number)); !slices.Equal(got, []hallsync.Seq{3, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("facts %v", got)
	}
	if got := l.find(t, l.digests(t, other)); !slices.Equal(got, []hallsync.Seq{4, 11}) {
		t.Errorf("of the other %v", got)
	}
	if got := l.find(t, l.digests(t, "991101200001010019")); len(got) != 0 {
		t.Errorf("of nobody %v", got)
	}
	if got := l.find(t, []string{""}); len(got) != 0 {
		t.Errorf("of no digest %v", got)
	}
}

// An erasure takes what says something of the person, at once and in all files; the chain stays whole and names the order, the hall is told
// until it answers, and other people's facts stay.
func TestErase(t *testing.T) {
	l := begin(t)
	digests := l.digests(t, number)
	order, err := l.desk.Erase(t.Context(), person.Actor{Name: "root", By: "command"}, "申请书 7 号", hall, digests)
	if err != nil || order.Facts != 5 {
		t.Fatalf("%+v, %v", order, err)
	}
	if got := l.find(t, digests); len(got) != 0 {
		t.Errorf("still found: %v", got)
	}
	if got := l.find(t, l.digests(t, other)); !slices.Equal(got, []hallsync.Seq{4, 11}) {
		t.Errorf("of the other %v", got)
	}
	if n := l.Tickets(); n != 1 {
		t.Errorf("%d tickets", n)
	}
	whole(t, l)
	command := commandOf(t, l)
	var who hallsync.ErasePerson
	if err := json.Unmarshal(command.Args, &who); err != nil || who.Order != order.ID || command.ID != order.ID || !slices.Equal(who.Persons, digests) {
		t.Errorf("command %+v, %v", command, err)
	}
	// The hall answers: it had one thing more.
	l.Add(hallsync.TicketRated{Ticket: "T9", Window: "1", Grade: hallsync.Fair, Text: said})
	l.Add(hallsync.PersonErased{Order: order.ID, Facts: []hallsync.Range{{From: 3, To: 3}, {From: 13, To: 13}}})
	l.Checkpoint()
	if ack := l.Send(12); ack.Receipt == nil {
		t.Error("no receipt")
	}
	if left, err := l.desk.Orders(t.Context(), hall); err != nil || len(left) != 0 {
		t.Errorf("told again after the answer: %d, %v", len(left), err)
	}
	whole(t, l)
	done := orderOf(t, l, order.ID)
	if done.Done.IsZero() || done.Facts != 6 || len(done.Args) != 0 {
		t.Errorf("order %+v", done)
	}
	if e, _, err := l.Store.Event(t.Context(), hall, l.Epoch, 13); err != nil || e.Erased != order.ID {
		t.Errorf("what the hall named: %+v, %v", e, err)
	}
}

// What came between the order and the hall's answer goes from what is shown with the answer, before the projections are made again.
func TestAnswersHideAtOnce(t *testing.T) {
	l := begin(t)
	digests := l.digests(t, number)
	order, err := l.desk.Erase(t.Context(), person.Actor{Name: "root", By: "command"}, "申请书 7 号", hall, digests)
	if err != nil {
		t.Fatal(err)
	}
	l.Add(taken("T3", "A003", digests[0])) // 13
	l.Add(hallsync.TicketRated{Ticket: "T2", Window: "1", Grade: hallsync.Fair, Text: said})
	l.Send(12)
	if n := l.Tickets(); n != 2 {
		t.Fatalf("%d tickets before the answer", n)
	}
	l.Add(hallsync.PersonErased{Order: order.ID, Facts: []hallsync.Range{{From: 13, To: 14}}})
	l.Send(14)
	if n := l.Tickets(); n != 0 {
		t.Errorf("%d tickets with the answer", n)
	}
	if _, err := l.Ingest.Pay(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := l.Tickets(); n != 1 { // of the other, who took his before
		t.Errorf("%d tickets in the end", n)
	}
	whole(t, l)
}

func orderOf(t *testing.T, l *life, id string) store.Erasure {
	t.Helper()
	orders, err := l.Store.Erasures(t.Context(), hall)
	if err != nil {
		t.Fatal(err)
	}
	return orders[id]
}

func whole(t *testing.T, l *life) {
	t.Helper()
	a := journal.Auditor{Store: l.Store, Vault: l.Vault, Signers: func(context.Context, hallsync.HallID) ([]gm.PublicKey, error) { return l.Signers(hall), nil }}
	if r, err := a.Hall(t.Context(), hall); err != nil || len(r.Faults)+len(r.Noted) != 0 || r.Erased == 0 {
		t.Errorf("chain %+v, %v", r, err)
	}
	if v, err := l.Store.Verify(t.Context(), hall); err != nil || len(v.Faults) != 0 {
		t.Errorf("log %+v, %v", v, err)
	}
}

// commandOf gives the one command that waits for the hall, as its box checks it: each time it is told it has a higher number.
func commandOf(t *testing.T, l *life) hallsync.Command {
	t.Helper()
	last := uint64(0)
	var c hallsync.Command
	for range 2 {
		raw, err := l.desk.Orders(t.Context(), hall)
		if err != nil || len(raw) != 1 {
			t.Fatalf("%d orders, %v", len(raw), err)
		}
		signed, err := hallsync.OpenSigned(raw[0], hallsync.SignedCommand, hall, l.Vault.Keys().Sign...)
		if err != nil || signed.Seq <= last {
			t.Fatalf("number %d after %d, %v", signed.Seq, last, err)
		}
		last = signed.Seq
		if err := json.Unmarshal(signed.Body, &c); err != nil || c.Name != hallsync.CommandErasePerson {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	return c
}

// Threat 31: what a box says it has erased goes at the centre only by an order of the centre.
func TestThreat31NothingGoesWithoutAnOrder(t *testing.T) {
	l := begin(t)
	l.Add(hallsync.PersonErased{Order: "made-up", Facts: []hallsync.Range{{From: 1, To: 1 << 40}}})
	l.Send(12)
	if got := l.find(t, l.digests(t, number)); len(got) != 7 {
		t.Errorf("%d facts left", len(got))
	}
	faults, err := l.Store.ChainFaults(t.Context(), hall)
	if err != nil || len(faults) != 1 || faults[0].Kind != string(chain.Unordered) {
		t.Errorf("faults %+v, %v", faults, err)
	}
	if _, err := l.desk.Erase(t.Context(), person.Actor{}, "x", hall, []string{""}); !errors.Is(err, person.ErrNobody) {
		t.Errorf("nobody erased: %v", err)
	}
}

// The hall is given a new index key each year; the one before stays as long as something may have been written with it.
func TestIndexKeysRotate(t *testing.T) {
	l := begin(t)
	box, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	first := indexKeys(t, l, box)
	if len(first) != 1 || !bytes.Equal(first[0], l.key) {
		t.Fatalf("%d keys", len(first))
	}
	l.Now = start.AddDate(1, 0, 1)
	second := indexKeys(t, l, box)
	if len(second) != 2 || !bytes.Equal(second[1], l.key) || bytes.Equal(second[0], l.key) {
		t.Fatalf("%d keys after a year", len(second))
	}
	if got := l.find(t, l.digests(t, number)); len(got) != 7 {
		t.Errorf("%d facts by the old key", len(got))
	}
	l.Now = start.AddDate(2, 0, 10)
	if third := indexKeys(t, l, box); len(third) != 2 || bytes.Equal(third[1], l.key) {
		t.Errorf("%d keys after two years", len(third))
	}
}

// Nothing that people wrote or are lies in the centre's files: neither while it is kept nor after it was erased.
func TestFilesSayNothing(t *testing.T) {
	l := begin(t)
	secrets := []string{number, other, said, note, "13800000000", gm.Pseudonym(l.key, number), gm.Pseudonym(l.key, other), string(l.key)}
	check := func(when string) {
		t.Helper()
		backup := filepath.Join(filepath.Dir(l.Path), when+".backup")
		if err := l.Store.Backup(t.Context(), backup); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(l.Path), "*"))
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				continue // the directory of keys
			}
			for _, s := range secrets {
				if bytes.Contains(data, []byte(s)) {
					t.Errorf("%s: %q is in %s", when, s, filepath.Base(name))
				}
			}
		}
	}
	check("kept")
	if _, err := l.desk.Erase(t.Context(), person.Actor{Name: "root", By: "command"}, "申请书 7 号", hall, l.digests(t, number)); err != nil {
		t.Fatal(err)
	}
	check("erased")
}
