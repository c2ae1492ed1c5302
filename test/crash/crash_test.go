// Package crash_test kills the agent at the worst moments and looks for what is lost or done twice.
package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/test/demo"
)

// setting reads a number from the environment.
func setting(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// drawn gives the seed of a test: drawn anew, or that of CRASH_SEED to repeat a run.
func drawn(t *testing.T) uint64 {
	t.Helper()
	seed := setting(t, "CRASH_SEED", rand.Uint64())
	t.Logf("CRASH_SEED=%d", seed)
	return seed
}

// begin starts a demo with a load for it. The number of kills is usual, or what the environment says under name.
func begin(t *testing.T, name string, usual uint64) (l *load, seed uint64, rounds int) {
	t.Helper()
	seed, rounds = drawn(t), int(setting(t, name, usual))
	t.Logf("%s=%d", name, rounds)
	d := demo.Start(t)
	return &load{demo: d, victim: newVictim(d), ledger: &ledger{}, pool: &pool{}}, seed, rounds
}

// usualRounds is how often the agent is killed.
const usualRounds = 200

func TestAgentKilledBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	l, seed, rounds := begin(t, "CRASH_ROUNDS", usualRounds)
	d := l.demo
	began := time.Now()
	l.underFire(t, seed, rounds)
	killing := time.Since(began)
	if t.Failed() {
		return
	}
	m := newMirror()
	began = time.Now()
	l.settle(t, m)
	settling := time.Since(began)
	l.check(t, m)
	checkJournal(t, d, m)
	t.Logf("%d kills in %s, settled in %s: %d requests answered, %d tickets, %d facts; in doubt %d, of which %d were done before the kill",
		rounds, killing.Round(time.Second), settling.Round(time.Second), len(l.ledger.entries), len(m.order), len(m.facts), l.ledger.kept+l.ledger.lost, l.ledger.kept)
	checkLogs(t, d)
}

// underFire runs the clients while the agent is killed round by round. Afterwards every request has its answer.
func (l *load) underFire(t *testing.T, seed uint64, rounds int) {
	t.Helper()
	ending := make(chan struct{})
	end := sync.OnceFunc(func() { close(ending) })
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	ctx, giveUp := context.WithCancel(t.Context())
	defer func() {
		if t.Failed() { // the agent may never be back, for which they wait
			giveUp()
		}
	}()
	for _, c := range l.clients(seed) {
		wg.Go(func() { l.run(ctx, t, c, ending) })
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		if l.victim.killOnce(t, rng); t.Failed() {
			return
		}
	}
}

// settle waits until all slips have come to their end and the cloud has every fact.
func (l *load) settle(t *testing.T, m *mirror) {
	t.Helper()
	demo.Until(t, 3*demo.Patience, "all slips printed and all facts in the cloud", func() error {
		m.read(t, l.demo)
		if number, yes := m.printing(); yes {
			return fmt.Errorf("slip %s is not printed", number)
		}
		if seq := l.demo.Hall(t).Seq; seq != uint64(len(m.facts)) {
			return fmt.Errorf("the cloud has %d facts of %d", len(m.facts), seq)
		}
		return nil
	})
}

// check compares the ledger, the cloud's facts, the hall's answers and the paper.
func (l *load) check(t *testing.T, m *mirror) {
	t.Helper()
	given := l.ledger.numbers(t)
	for id, number := range given {
		if s := m.tickets[id]; s == nil || s.number != number {
			t.Errorf("ticket %s was given as %s, the facts say %+v", id, number, s)
		}
	}
	if len(given) != len(m.tickets) {
		t.Errorf("%d tickets were given, the facts know %d", len(given), len(m.tickets))
	}
	promised := l.ledger.effects(t)
	for e, n := range promised {
		if got := m.effects[e]; got < n || got > n && exact(e.kind) {
			t.Errorf("%d answers promised %s of ticket %s, there are %d facts", n, e.kind, e.ticket, got)
		}
	}
	for e, n := range m.effects {
		if exact(e.kind) && promised[e] == 0 {
			t.Errorf("%d facts %s of ticket %s, and nobody was told", n, e.kind, e.ticket)
		}
	}
	m.checkNumbers(t)
	m.checkHall(t, l.demo)
	m.checkSlips(t, l.demo)
	rng := rand.New(rand.NewPCG(1, uint64(len(m.facts))))
	for range 300 { // a sample: each costs a request
		e, ok := l.ledger.any(rng)
		if !ok {
			t.Fatal("nothing was answered")
		}
		a, err := e.send(l.demo)
		if err == nil {
			err = e.same(a)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if l.ledger.kept == 0 && len(l.ledger.entries) > 2000 {
		t.Error("no kill fell between a commit and its answer: the test does not test what it is for")
	}
}

// checkJournal stops the agent and reads its file: clean, and with exactly the cloud's facts.
func checkJournal(t *testing.T, d *demo.Demo, m *mirror) {
	t.Helper()
	d.Sim(t, "stop", "agent")
	out, err := d.Run("hall-agent", "journal", "verify", "--config", d.Agent.Config)
	if err != nil {
		t.Errorf("journal verify: %v\n%s", err, out)
	}
	exported, err := d.Run("hall-agent", "journal", "export", "--config", d.Agent.Config)
	if err != nil {
		t.Fatalf("journal export: %v\n%s", err, exported)
	}
	if n := strings.Count(exported, "\n"); n < len(m.facts) {
		t.Errorf("the journal has %d facts, the cloud %d", n, len(m.facts))
	}
	nothingPutAside(t, filepath.Join(filepath.Dir(d.Agent.Config), "data"))
}

// checkLogs looks through what all lives of the agent wrote.
func checkLogs(t *testing.T, d *demo.Demo) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(d.Dir, "logs", "hall-agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"DATA RACE", "panic", "state not rolled back"} {
		if i := strings.Index(string(raw), bad); i >= 0 {
			t.Errorf("the agent's log says %q:\n%s", bad, raw[max(0, i-1000):min(len(raw), i+4000)])
		}
	}
}
