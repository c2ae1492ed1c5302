package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"halledge/test/demo"
)

// pool is what the clients know together: numbers that were given, and those that were finished and may be rated.
type pool struct {
	mu    sync.Mutex
	taken []string // ids
	paper []string // of these, with a slip
	done  []string
}

func (p *pool) learn(e entry) {
	if e.status >= 300 {
		return
	}
	got, err := e.ticket()
	if err != nil || got == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.verb() {
	case "tickets":
		p.taken = append(p.taken, got.ID)
		if got.Print != "none" {
			p.paper = append(p.paper, got.ID)
		}
	case "finish":
		p.done = append(p.done, got.ID)
	}
}

// recent gives one of the last ids of a list, which have more ahead of them than the first ones; empty while there is none.
func (p *pool) recent(list *[]string, rng *rand.Rand) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	const last = 30
	from := max(0, len(*list)-last)
	if len(*list) == 0 {
		return ""
	}
	return (*list)[from+rng.IntN(len(*list)-from)]
}

// client sends one request after the other.
type client struct {
	rng  *rand.Rand
	next func(*client) (request, bool) // false: nothing to do yet; nil: asks again what was answered already
}

// load is a busy hall: clients, what they know, and the agent they do not know to be killed.
type load struct {
	demo   *demo.Demo
	victim *victim
	ledger *ledger
	pool   *pool
}

// run sends until ending is closed; the request under way is answered first. It returns early when ctx ends or something is wrong.
func (l *load) run(ctx context.Context, t *testing.T, c *client, ending <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ending:
			return
		default:
		}
		if c.next == nil {
			if !l.repeat(ctx, t, c) {
				return
			}
			continue
		}
		r, ok := c.next(c)
		if !ok {
			r = l.take(c)
		}
		if !l.insist(ctx, t, r) {
			return
		}
	}
}

// insist sends a request, with its one key, until it is answered.
func (l *load) insist(ctx context.Context, t *testing.T, r request) bool {
	a, doubt, err := l.reach(ctx, r)
	if err != nil {
		t.Errorf("POST %s: %v", r.path, err)
		return false
	}
	e := entry{request: r, status: a.Status, answer: a.Body}
	replayed := a.Header.Get("Idempotency-Replayed") == "true"
	switch {
	case a.Status >= 500 || a.Status == http.StatusBadRequest || a.Status == http.StatusUnauthorized ||
		a.Status == http.StatusForbidden || a.Status == http.StatusTooManyRequests:
		t.Errorf("not an answer of the queue: %v", e)
		return false
	case replayed && !doubt:
		t.Errorf("a new key was answered as an old one: %v", e)
		return false
	}
	l.ledger.put(e, doubt, replayed)
	l.pool.learn(e)
	return true
}

// repeat sends a request again that was answered once.
func (l *load) repeat(ctx context.Context, t *testing.T, c *client) bool {
	e, ok := l.ledger.any(c.rng)
	if !ok {
		return l.insist(ctx, t, l.take(c))
	}
	a, _, err := l.reach(ctx, e.request)
	if err == nil {
		err = e.same(a)
	}
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// reach sends a request until any answer comes. doubt says that the agent was killed meanwhile.
func (l *load) reach(ctx context.Context, r request) (a demo.Answer, doubt bool, err error) {
	for {
		life, err := l.victim.alive(ctx)
		if err != nil {
			return a, doubt, err
		}
		l.victim.step()
		a, err = r.send(l.demo)
		l.victim.step()
		if err == nil {
			return a, doubt, nil
		}
		if !l.victim.died(life) {
			return a, doubt, fmt.Errorf("no answer from a living agent: %w", err)
		}
		doubt = true
	}
}

// post makes a request with a fresh key.
func post(role, path string, body map[string]any) request {
	raw, err := json.Marshal(body)
	if err != nil { // maps of strings can be written
		raw = nil
	}
	return request{role: role, path: path, body: raw, key: demo.Key()}
}

// paperOneIn is how many takes there are to one slip: the simulated printer draws each, which costs more than the rest.
const paperOneIn = 12

func (l *load) take(c *client) request {
	body := map[string]any{"queue": pick(c.rng, "A", "A", "B", "C"), "channel": "online"}
	if c.rng.IntN(paperOneIn) == 0 {
		body["channel"] = "kiosk"
		return post("kiosk", "/api/v1/tickets", body)
	}
	if c.rng.IntN(3) == 0 { // staff say who may go first
		body["class"] = "elder"
	}
	return post("staff", "/api/v1/tickets", body)
}

func pick(rng *rand.Rand, words ...string) string { return words[rng.IntN(len(words))] }

// citizen takes numbers, gives some back, loses slips and comes too late.
func (l *load) citizen(c *client) (request, bool) {
	var verb string
	list := &l.pool.taken
	switch n := c.rng.IntN(20); {
	case n < 12:
		return l.take(c), true
	case n < 15:
		verb = "withdraw"
	case n < 19:
		verb = "requeue"
	default:
		verb, list = "reprint", &l.pool.paper
	}
	id := l.pool.recent(list, c.rng)
	return post("kiosk", "/api/v1/tickets/"+id+"/"+verb, map[string]any{}), id != ""
}

// clerk works at a window, with every verb it has; the common ones more often.
func (l *load) clerk(window string) func(*client) (request, bool) {
	return func(c *client) (request, bool) {
		verb := pick(c.rng, "open", "call-next", "call-next", "call-next", "call-next", "start", "start", "finish", "finish", "finish",
			"pass", "pass", "recall", "hold", "resume", "transfer", "abandon", "reopen", "call", "pause", "unpause", "close")
		body := map[string]any{}
		switch verb {
		case "transfer":
			body["to"] = map[string]any{"queue": pick(c.rng, "A", "B", "C"), "position": pick(c.rng, "front", "arrival", "end")}
		case "reopen", "abandon":
			body["reason"] = "误按"
		case "call":
			body["ticket"], body["reason"] = l.pool.recent(&l.pool.taken, c.rng), "本人在场"
		}
		return post("staff", "/api/v1/windows/"+window+"/"+verb, body), true
	}
}

// critic rates what was finished.
func (l *load) critic(c *client) (request, bool) {
	id := l.pool.recent(&l.pool.done, c.rng)
	grade := pick(c.rng, "very_satisfied", "satisfied", "fair", "dissatisfied", "very_dissatisfied")
	return post("kiosk", "/api/v1/ratings", map[string]any{"ticket": id, "grade": grade}), id != ""
}

// clients are the people of the hall: citizens, a clerk at each window, a critic, and one who asks twice.
func (l *load) clients(seed uint64) []*client {
	list := []*client{{next: l.citizen}, {next: l.citizen}, {next: l.citizen}, {next: l.critic}, {next: nil}}
	for _, w := range l.demo.Agent.Windows {
		list = append(list, &client{next: l.clerk(w)})
	}
	for i, c := range list {
		c.rng = rand.New(rand.NewPCG(seed, uint64(i+1)))
	}
	return list
}
