package hall_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

func newKey(t *testing.T) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (r *rig) do(t *testing.T, c queue.Command) {
	t.Helper()
	if _, err := r.Do(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// said is all that the log says, in the clear.
func (r *rig) said(t *testing.T) (all string, kinds []hallsync.Kind) {
	t.Helper()
	raws, err := r.st.InClear().Read(0, 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range raws {
		var e hallsync.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		all, kinds = all+string(e.Payload)+"\n", append(kinds, e.Kind)
	}
	return all, kinds
}

// digest is what the hall knows somebody by.
func digest(who string) string { return gm.Pseudonym([]byte("index key of the hall"), who) }

// PIPL article 47: nothing of a person is left in log and state, his ticket is called all the same, and the chain is whole.
func TestAPersonIsErased(t *testing.T) {
	his, hers := digest("him"), digest("her")
	keys, dir := store.Keys{Storage: newKey(t), Signer: newKey(t)}, t.TempDir()
	r := sealed(t, dir, keys)
	r.do(t, queue.TurnDay{})
	r.do(t, queue.SetBooking{BookingSet: hallsync.BookingSet{
		Booking: "AP1", Queue: "A", Start: time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC), End: time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC), Person: his,
	}})
	r.do(t, queue.Take{Ticket: "t1", Queue: "A", Channel: hallsync.AtKiosk, Person: his})
	r.do(t, queue.Take{Ticket: "t2", Queue: "A", Channel: hallsync.AtKiosk, Person: hers})
	r.do(t, queue.SetBlock{Person: his, Until: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), Reason: "three times not come", By: hallsync.By{Kind: "staff", Staff: "m01"}})
	told := func(name, body string) (store.Answer, bool, error) {
		return r.Answer(t.Context(), hall.Request{
			Key: store.KeyOf("k", "POST", "/", name), Asked: "digest of " + name,
			Command: func() (queue.Command, error) { return queue.TurnDay{}, nil },
			Render:  func(hall.Result) (int, []byte) { return 201, []byte(body) },
		})
	}
	for name, body := range map[string]string{"his": `{"ticket":"t1"}`, "booked": `{"booking":{"booking":"AP1"}}`, "hers": `{"ticket":"t2","booking":"AP11"}`} {
		if a, again, err := told(name, body); err != nil || again || string(a.Body) != body {
			t.Fatalf("%+v %v %v", a, again, err)
		}
	}
	if err := r.Erase(t.Context(), hallsync.ErasePerson{Order: "0198-order", Persons: []string{digest("him by another key"), his}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"his", "booked"} {
		if a, again, err := told(name, "carried out again"); !errors.Is(err, hall.ErrKeyReused) {
			t.Errorf("%s is answered once more: %+v %v %v", name, a, again, err)
		}
	}
	if a, again, err := told("hers", "carried out again"); err != nil || !again || string(a.Body) != `{"ticket":"t2","booking":"AP11"}` {
		t.Errorf("hers: %+v %v %v", a, again, err)
	}
	for range 2 {
		said, kinds := r.said(t)
		state := string(r.dump(t))
		for _, secret := range []string{his, "three times"} {
			if strings.Contains(said, secret) || strings.Contains(state, secret) {
				t.Errorf("%q is left in\n%s\n%s", secret, said, state)
			}
		}
		if !strings.Contains(said, hers) || !strings.Contains(state, hers) || !slices.Contains(kinds, hallsync.KindPersonErased) {
			t.Errorf("somebody else is gone, or the order: %v\n%s", kinds, state)
		}
		if st, err := r.st.Verify(); err != nil || st.Erased != 4 { // his appointment, his ticket, his block and its end
			t.Errorf("log %+v, %v", st, err)
		}
		r.stop()
		r = sealed(t, dir, keys)
	}
	r.do(t, queue.Open{Window: "1"})
	facts, err := r.Do(t.Context(), queue.CallNext{Window: "1"})
	if err != nil || len(facts) == 0 {
		t.Fatalf("%v, %v", facts, err)
	}
	if called, ok := facts[0].(hallsync.TicketCalled); !ok || called.Ticket != "t1" {
		t.Errorf("called is %+v", facts[0])
	}
}

// Threat 31: an order erases one person, who has a digest under each key of the index. One of everybody, of nobody or by nobody is not
// carried out.
func TestThreat31AnOrderErasesOnePerson(t *testing.T) {
	his := digest("him")
	r := sealed(t, t.TempDir(), store.Keys{Storage: newKey(t), Signer: newKey(t)})
	r.do(t, queue.TurnDay{})
	everybody := []string{his}
	for n := range hallsync.MaxIndex {
		everybody = append(everybody, digest(fmt.Sprint(n)))
	}
	for _, bad := range []hallsync.ErasePerson{{Persons: []string{his}}, {Order: "x"}, {Order: "x", Persons: []string{""}}, {Order: "x", Persons: everybody},
		{Order: "x", Persons: []string{his[:1]}}, {Order: "x", Persons: []string{his, "a"}}} {
		if err := r.Erase(t.Context(), bad); err == nil {
			t.Errorf("%+v was carried out", bad)
		}
	}
	if err := r.Erase(t.Context(), hallsync.ErasePerson{Order: "x", Persons: everybody[:hallsync.MaxIndex]}); err != nil {
		t.Errorf("one person: %v", err)
	}
}
