package crash_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"halledge/firmware-protocols/hallsync"
	"halledge/test/demo"
)

const (
	// cloudRounds is how often the cloud is killed.
	cloudRounds = 40
	// cloudLoad is how many requests the hall answers each second: facts come all the time, and their number stays small.
	cloudLoad = 60
	// soonAfter bounds the time between a commit of the cloud and the kill.
	soonAfter = 150 * time.Millisecond
	// agentOneIn is in how many rounds the agent dies too. It then comes back at once; alone it waits longer after each failure.
	agentOneIn = 2
)

// TestCloudKilledWhileAHallReports kills the cloud while the agent brings it facts: each must arrive once, as the hall wrote it,
// and the cloud's tickets must be what the facts come to.
func TestCloudKilledWhileAHallReports(t *testing.T) {
	t.Parallel()
	l, seed, rounds := begin(t, "CRASH_CLOUD_ROUNDS", cloudRounds)
	d := l.demo
	began := time.Now()
	l.killCloud(t, seed, rounds)
	killing := time.Since(began)
	if t.Failed() {
		return
	}
	m := newMirror()
	l.settle(t, m)
	m.checkNumbers(t)
	m.checkHall(t, d)
	checkCloudJournal(t, d, len(m.facts))
	tickets := cloudTickets(t, d)
	m.checkCloud(t, tickets)
	hashes := factHashes(t, d)
	checkJournal(t, d, m)
	checkSame(t, d, hashes)
	checkRebuilt(t, d, tickets)
	t.Logf("%d kills in %s: %d tickets, %d facts", rounds, killing.Round(time.Second), len(m.order), len(m.facts))
}

// killCloud runs the clients while the cloud, and now and then the agent with it, is killed round by round.
func (l *load) killCloud(t *testing.T, seed uint64, rounds int) {
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
	pace := rate.NewLimiter(cloudLoad, 1)
	for _, c := range l.clients(seed) {
		c.next = paced(ctx, pace, c.next)
		wg.Go(func() { l.run(ctx, t, c, ending) })
	}
	rng := rand.New(rand.NewPCG(seed, 2<<32))
	cloud := &demo.Demo{Dir: l.demo.Dir} // one of our own: the clients read the other
	stored := hallsync.Seq(0)
	for round := range rounds {
		stored = nextFacts(t, l.demo, stored)
		<-time.After(time.Duration(rng.Int64N(int64(soonAfter))))
		back := killCloudOnce(t, cloud)
		if round%agentOneIn == 0 {
			l.victim.killOnce(t, rng)
		}
		if back(); t.Failed() {
			return
		}
	}
}

// paced makes a client wait for its turn before each request. Who only repeats requests takes a number instead.
func paced(ctx context.Context, pace *rate.Limiter, next func(*client) (request, bool)) func(*client) (request, bool) {
	return func(c *client) (request, bool) {
		if err := pace.Wait(ctx); err != nil || next == nil {
			return request{}, false
		}
		return next(c)
	}
}

// nextFacts waits until the cloud has stored more facts than before, and gives the last.
func nextFacts(t *testing.T, d *demo.Demo, before hallsync.Seq) hallsync.Seq {
	t.Helper()
	var detail struct{ Log struct{ Stored hallsync.Seq } }
	demo.Until(t, demo.Patience, "the hall brings facts", func() error {
		a, err := d.Do(d.Cloud.URL, d.Cloud.Token, http.MethodGet, "/api/v1/halls/"+d.Agent.Hall, nil, nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			return fmt.Errorf("status %d", a.Status)
		}
		a.Into(t, &detail)
		switch now := detail.Log.Stored; {
		case now < before:
			t.Fatalf("the cloud had facts up to %d, and after a kill up to %d", before, now)
		case now == before:
			return fmt.Errorf("still at %d", now)
		}
		return nil
	})
	return detail.Log.Stored
}

// killCloudOnce kills the cloud; back waits until hall-sim has started it again.
func killCloudOnce(t *testing.T, now *demo.Demo) (back func()) {
	t.Helper()
	if err := now.Reload(); err != nil {
		t.Fatal(err)
	}
	pid := now.Cloud.PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the cloud: %v", err)
	}
	return func() {
		demo.Until(t, demo.Patience, "the cloud is back", func() error {
			err := now.Reload()
			if err == nil && now.Cloud.PID == pid {
				err = fmt.Errorf("demo.json still names %d", pid)
			}
			if err == nil {
				err = now.Ready(now.Cloud.URL)
			}
			return err
		})
	}
}

// cloudTicket is one line of the cloud's GET /api/v1/tickets.
type cloudTicket struct {
	ID       hallsync.TicketID    `json:"id"`
	Number   string               `json:"number"`
	Day      string               `json:"business_day"`
	Queue    hallsync.QueueID     `json:"queue"`
	State    hallsync.TicketState `json:"state"`
	Calls    int                  `json:"calls"`
	Print    hallsync.PrintState  `json:"print"`
	Reprints int                  `json:"reprints"`
	raw      []byte
}

// cloudTickets reads all tickets of the cloud, page by page.
func cloudTickets(t *testing.T, d *demo.Demo) []cloudTicket {
	t.Helper()
	var all []cloudTicket
	for page := 1; ; page++ {
		var p struct {
			Items []json.RawMessage
			Total int
		}
		d.GetCloud(t, fmt.Sprintf("/api/v1/tickets?hall=%s&page=%d&size=%d", d.Agent.Hall, page, pageSize)).Into(t, &p)
		for _, raw := range p.Items {
			k := cloudTicket{raw: raw}
			if err := json.Unmarshal(raw, &k); err != nil {
				t.Fatal(err)
			}
			all = append(all, k)
		}
		if len(p.Items) < pageSize {
			if len(all) != p.Total {
				t.Errorf("the cloud lists %d tickets and counts %d", len(all), p.Total)
			}
			return all
		}
	}
}

// checkCloud wants the cloud's tickets to equal the fold of its facts.
func (m *mirror) checkCloud(t *testing.T, tickets []cloudTicket) {
	t.Helper()
	if len(tickets) != len(m.tickets) {
		t.Errorf("the cloud has %d tickets, its facts make %d", len(tickets), len(m.tickets))
	}
	for _, got := range tickets {
		s := m.tickets[got.ID]
		if s == nil {
			t.Errorf("the cloud has ticket %s, which no fact speaks of", got.ID)
			continue
		}
		calls := m.effects[effect{hallsync.KindTicketCalled, got.ID}] + m.effects[effect{hallsync.KindTicketRecalled, got.ID}]
		if got.Number != s.number || got.Day != s.day || got.Queue != s.queue || got.State != s.state ||
			got.Calls != calls || got.Print != s.print || got.Reprints != s.reprints {
			t.Errorf("the cloud's ticket is %s, its facts say %+v and %d calls", got.raw, *s, calls)
		}
	}
}

// checkCloudJournal lets the cloud check its own log against the hashes of what came.
func checkCloudJournal(t *testing.T, d *demo.Demo, facts int) {
	t.Helper()
	out, err := d.Run("hall-cloud", "journal", "verify", "--config", d.Cloud.Config)
	if want := fmt.Sprintf("%d 条事实，其中拒收 0 条，有问题 0 条", facts); err != nil || !strings.Contains(out, want) {
		t.Errorf("journal verify: %v\n%s\nwant %q", err, out, want)
	}
}

// factHashes gives the beginning of SHA-256 of each fact's bytes as the cloud got them, in the order of the log.
func factHashes(t *testing.T, d *demo.Demo) []string {
	t.Helper()
	var all []string
	for {
		var page struct{ Items []struct{ Hash string } }
		d.GetCloud(t, fmt.Sprintf("/api/v1/facts?hall=%s&after=%d&size=%d", d.Agent.Hall, len(all), pageSize)).Into(t, &page)
		for _, f := range page.Items {
			all = append(all, f.Hash)
		}
		if len(page.Items) < pageSize {
			return all
		}
	}
}

// checkSame wants each fact of the cloud to be, byte for byte, what the hall has in its file. The agent is stopped.
func checkSame(t *testing.T, d *demo.Demo, hashes []string) {
	t.Helper()
	out, err := d.Run("hall-agent", "journal", "export", "--config", d.Agent.Config)
	if err != nil {
		t.Fatalf("journal export: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) < len(hashes) {
		t.Fatalf("the hall has %d facts, the cloud %d", len(lines), len(hashes))
	}
	for i, hash := range hashes { // what the hall wrote while it stopped need not have come
		if sum := sha256.Sum256([]byte(lines[i])); hex.EncodeToString(sum[:8]) != hash {
			t.Fatalf("fact %d has hash %s in the cloud, the hall has %s", i+1, hash, lines[i])
		}
	}
}

// checkRebuilt makes the cloud's tickets again of its facts: they must come out as they have grown under the kills.
func checkRebuilt(t *testing.T, d *demo.Demo, grown []cloudTicket) {
	t.Helper()
	d.Sim(t, "stop", "cloud")
	if out, err := d.Run("hall-cloud", "rebuild", "--config", d.Cloud.Config); err != nil {
		t.Fatalf("rebuild: %v\n%s", err, out)
	}
	d.Sim(t, "start", "cloud")
	demo.Until(t, demo.Patience, "the cloud is back", func() error { return d.Ready(d.Cloud.URL) })
	same := func(a, b cloudTicket) bool { return bytes.Equal(a.raw, b.raw) }
	if rebuilt := cloudTickets(t, d); !slices.EqualFunc(rebuilt, grown, same) {
		t.Errorf("%d tickets have grown, %d were made again, and they are not the same", len(grown), len(rebuilt))
	}
	raw, err := os.ReadFile(filepath.Join(d.Dir, "logs", "hall-cloud.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"DATA RACE", "panic"} {
		if bytes.Contains(raw, []byte(bad)) {
			t.Errorf("the cloud's log says %q", bad)
		}
	}
}
