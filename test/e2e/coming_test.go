package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// A day of loose cables. COMING_FOR sets how long it is (a time such as 8h), COMING_SEED which one.
const comingFor = 20 * time.Second

// mischief is what happens to the devices of a hall, and what its people do meanwhile.
type mischief struct {
	t     *testing.T
	d     *demo.Demo
	rng   *rand.Rand
	names []string
	out   map[string]bool // pulled out
	noisy map[string]bool
	given map[string]demo.Ticket // by number
}

func (m *mischief) cable() {
	name := m.names[m.rng.IntN(len(m.names))]
	verb := "unplug"
	if m.out[name] {
		verb = "plug"
	}
	m.d.Sim(m.t, verb, name)
	m.out[name] = !m.out[name]
}

func (m *mischief) noise() {
	name := m.names[m.rng.IntN(len(m.names))]
	on := "on"
	if m.noisy[name] {
		on = "off"
	}
	m.d.Sim(m.t, "noise", name, on)
	m.noisy[name] = !m.noisy[name]
}

// take is a citizen at the kiosk: whatever is wrong with the devices, he gets a number.
func (m *mischief) take() {
	tk := m.d.Take(m.t, "A")
	if first, twice := m.given[tk.Number]; twice {
		m.t.Fatalf("%s was given twice: %s and %s", tk.Number, first.ID, tk.ID)
	}
	m.given[tk.Number] = tk
}

// call is a clerk, by the pad or by the page.
func (m *mischief) call() {
	if m.rng.IntN(2) == 0 {
		m.d.Sim(m.t, "press", "next")
		return
	}
	a, err := m.d.Do(m.d.Agent.URL, m.d.Agent.Tokens["staff"], http.MethodPost, "/api/v1/windows/1/call-next", map[string]any{}, nil)
	if err != nil || a.Status != http.StatusOK && a.Status != http.StatusConflict {
		m.t.Fatalf("call-next: %d %s, %v", a.Status, a.Body, err)
	}
}

// mend puts everything back.
func (m *mischief) mend() {
	for _, name := range m.names {
		if m.noisy[name] {
			m.d.Sim(m.t, "noise", name, "off")
		}
		if m.out[name] {
			m.d.Sim(m.t, "plug", name)
		}
	}
}

// TestDevicesComeAndGo pulls devices out, puts them back and spoils what they say, at random, while people take numbers and are called:
// the hall goes on, and when all is put back all works, each citizen has one number and no more slips than he asked for.
func TestDevicesComeAndGo(t *testing.T) {
	t.Parallel()
	seed, lasts := uint64(time.Now().UnixNano()), comingFor
	if s, err := strconv.ParseUint(os.Getenv("COMING_SEED"), 10, 64); err == nil {
		seed = s
	}
	if d, err := time.ParseDuration(os.Getenv("COMING_FOR")); err == nil {
		lasts = d
	}
	t.Logf("COMING_SEED=%d COMING_FOR=%s", seed, lasts)
	m := &mischief{t: t, d: demo.Start(t), rng: rand.New(rand.NewPCG(seed, 1)),
		out: map[string]bool{}, noisy: map[string]bool{}, given: map[string]demo.Ticket{}}
	for _, dev := range m.d.Devices {
		m.names = append(m.names, dev.Name)
	}
	are(t, m.d, "ok", "", m.names...)
	m.d.Verb(t, "1", "open", nil)
	acts := []func(){m.cable, m.cable, m.noise, m.take, m.take, m.call, m.call}
	rounds := 0
	for end := time.Now().Add(lasts); time.Now().Before(end); rounds++ {
		acts[m.rng.IntN(len(acts))]()
	}
	m.mend()
	are(t, m.d, "ok", "", m.names...)

	last := m.d.Take(t, "A")
	m.given[last.Number] = last
	slip(t, m.d, last.Number, 1)
	m.settled()
	t.Logf("%d things happened, %d numbers were given", rounds, len(m.given))
}

// settled checks the centre's books and the paper.
func (m *mischief) settled() {
	m.t.Helper()
	facts := inCloud(m.t, m.d)
	taken := 0
	for _, f := range facts {
		if f.Kind == "ticket.taken" {
			taken++
		}
	}
	if taken != len(m.given) {
		m.t.Errorf("%d numbers were given, the centre knows %d", len(m.given), taken)
	}
	slips, err := filepath.Glob(filepath.Join(m.d.Slips, "A*.txt"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, path := range slips {
		number, copies, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".txt"), "-")
		if _, known := m.given[number]; !known || copies != "1" {
			m.t.Error(fmt.Errorf("%s lies there: was it given %v", filepath.Base(path), known))
		}
	}
}
