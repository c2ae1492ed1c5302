package crash_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"halledge/firmware-protocols/hallsync"
	"halledge/test/demo"
)

// request is one thing a client wants to happen once, and the key that says so.
type request struct {
	role string // whose token
	path string
	body []byte
	key  string
}

// send sends it to the agent.
func (r request) send(d *demo.Demo) (demo.Answer, error) {
	return d.Do(d.Agent.URL, d.Agent.Tokens[r.role], http.MethodPost, r.path, r.body, map[string]string{"Idempotency-Key": r.key})
}

// entry is a request and the first answer to it.
type entry struct {
	request
	status int
	answer []byte
}

func (e entry) String() string {
	return fmt.Sprintf("POST %s %s (key %s): %d %s", e.path, e.body, e.key, e.status, e.answer)
}

// ledger is what the agent has answered, kept outside it. It is safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	entries []entry
	kept    int // repetitions that showed: done before the kill, the answer lost
	lost    int // repetitions that showed: not done before the kill
}

// put records an answer. doubt says that the request was under way when the agent was killed.
func (l *ledger) put(e entry, doubt, replayed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	switch {
	case doubt && replayed:
		l.kept++
	case doubt:
		l.lost++
	}
}

// any gives one of the entries.
func (l *ledger) any(rng *rand.Rand) (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return entry{}, false
	}
	return l.entries[rng.IntN(len(l.entries))], true
}

// same checks that a repetition was answered as the first time.
func (e entry) same(again demo.Answer) error {
	switch {
	case again.Status != e.status || !bytes.Equal(again.Body, e.answer):
		return fmt.Errorf("%v\nrepeated: %d %s", e, again.Status, again.Body)
	case again.Header.Get("Idempotency-Replayed") != "true":
		return fmt.Errorf("%v\nrepeated without Idempotency-Replayed", e)
	}
	return nil
}

// effect is a fact about a ticket, in as much as an answer promises it.
type effect struct {
	kind   hallsync.Kind
	ticket hallsync.TicketID
}

// promised are the kinds of which each verb's success promises one.
var promised = map[string]hallsync.Kind{
	"withdraw": hallsync.KindTicketWithdrawn, "requeue": hallsync.KindTicketRequeued, "reprint": hallsync.KindSlipAsked,
	"call-next": hallsync.KindTicketCalled, "call": hallsync.KindTicketCalled, "recall": hallsync.KindTicketRecalled,
	"start": hallsync.KindTicketStarted, "finish": hallsync.KindTicketFinished, "pass": hallsync.KindTicketPassed,
	"transfer": hallsync.KindTicketTransferred, "hold": hallsync.KindTicketHeld, "resume": hallsync.KindTicketResumed,
	"abandon": hallsync.KindTicketAbandoned, "reopen": hallsync.KindTicketReopened,
	"tickets": hallsync.KindTicketTaken, "ratings": hallsync.KindTicketRated,
}

// implied are the kinds that follow from other verbs too: finishing a called ticket starts it, call-next finishes.
var implied = map[hallsync.Kind]bool{hallsync.KindTicketStarted: true, hallsync.KindTicketFinished: true}

// exact reports whether every fact of a kind was promised by an answer: nobody but the clients causes it.
func exact(k hallsync.Kind) bool {
	for _, p := range promised {
		if p == k {
			return !implied[k]
		}
	}
	return false
}

// verb is the last word of the path.
func (r request) verb() string { return r.path[strings.LastIndexByte(r.path, '/')+1:] }

// ticket is the ticket of a success, nil if it speaks of none.
func (e entry) ticket() (*demo.Ticket, error) {
	var a struct{ Ticket *demo.Ticket }
	if err := json.Unmarshal(e.answer, &a); err != nil {
		return nil, fmt.Errorf("%v: %w", e, err)
	}
	return a.Ticket, nil
}

// numbers gives the number of each ticket that was given, by its id, and fails if an id was given twice.
func (l *ledger) numbers(t *testing.T) map[hallsync.TicketID]string {
	t.Helper()
	out := map[hallsync.TicketID]string{}
	for _, e := range l.entries {
		if e.verb() != "tickets" || e.status != http.StatusCreated {
			continue
		}
		got, err := e.ticket()
		if err != nil || got == nil {
			t.Fatalf("a take was answered with no ticket: %v, %v", e, err)
		}
		id := hallsync.TicketID(got.ID)
		if other, twice := out[id]; twice {
			t.Errorf("ticket %s was given as %s and as %s", id, other, got.Number)
		}
		out[id] = got.Number
	}
	return out
}

// effects counts what all successes promised.
func (l *ledger) effects(t *testing.T) map[effect]int {
	t.Helper()
	out := map[effect]int{}
	for _, e := range l.entries {
		kind, ok := promised[e.verb()]
		if !ok || e.status >= 300 {
			continue
		}
		got, err := e.ticket()
		if err != nil {
			t.Fatal(err)
		}
		if got == nil { // call-next, and nobody waits
			continue
		}
		out[effect{kind, hallsync.TicketID(got.ID)}]++
	}
	return out
}
