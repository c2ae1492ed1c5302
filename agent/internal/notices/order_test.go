package notices_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/notices"
	"halledge/agent/kit/bundle"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

// run runs the shelf while the test goes on.
func (s *stage) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	shelf := s.shelf
	wg.Go(func() {
		if err := shelf.Run(ctx); !errors.Is(err, context.Canceled) {
			s.t.Errorf("shelf ended: %v", err)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

func (s *stage) await(what string, done func() bool) {
	s.t.Helper()
	await.That(s.t, what, done)
}

func (s *stage) offer(b made) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archive[b.id] = b.data
}

func TestWhatIsOrderedIsFetched(t *testing.T) {
	s := open(t)
	defer s.run()()
	b := s.bundleOf(7)
	s.offer(b)
	must(t, s.shelf.Ordered(s.order(1, b)))
	s.await("version 7", func() bool { return s.version() == 7 })
	next := s.bundleOf(8)
	s.offer(next)
	must(t, s.shelf.Ordered(s.order(2, next)))
	s.await("version 8", func() bool { return s.version() == 8 })
	s.want("both", 8)

	must(t, s.shelf.Ordered(s.order(3)))
	s.want("withdrawn", -1)
	if code := s.install(next); code != bundle.CodeOld {
		t.Errorf("what was withdrawn is brought back: %q", code)
	}
	if names := s.dirs(); names != "" {
		t.Errorf("on the disk: %s", names)
	}
	var refused *hallsync.SignedError
	if err := s.shelf.Ordered(s.order(2, next)); !errors.As(err, &refused) || refused.Why != hallsync.RefusedOld {
		t.Errorf("an order from before: %v", err)
	}
	s.want("still", -1)
	if code := s.install(s.bundleOf(9)); code != "" {
		t.Errorf("a newer one that somebody brings: %q", code)
	}
	s.want("brought", 9)
}

// What the centre's road brings is no better than what a stick does: another bundle under the id, or none at all, is refused and told.
func TestThreat17AFalseServer(t *testing.T) {
	s := open(t)
	if code := s.install(s.bundleOf(7)); code != "" {
		t.Fatal(code)
	}
	b, other := s.bundleOf(8), s.bundleOf(9)
	s.archive[b.id] = other.data
	stop := s.run()
	must(t, s.shelf.Ordered(s.order(1, b)))
	s.await("the refusal", func() bool { return len(s.shelf.Troubles()) > 0 })
	stop()
	s.want("another bundle", 7, "notice_refused hall notice_form")
	s.offer(b)
	defer s.run()()
	s.await("version 8", func() bool { return s.version() == 8 })
	s.want("the right one", 8)
}

// Where nothing of what was ordered can be shown, screens have the page that is built in.
func TestRefusedWithNothingBefore(t *testing.T) {
	s := open(t)
	b := s.bundleOf(7)
	s.archive[b.id] = []byte("PK")
	stop := s.run()
	must(t, s.shelf.Ordered(s.order(1, b)))
	s.await("the refusal", func() bool { return len(s.shelf.Troubles()) > 0 })
	stop()
	s.want("refused", 0, "notice_refused hall notice_form")
	must(t, s.shelf.Ordered(s.order(2)))
	s.want("withdrawn", -1)
}

// Another process installs while the agent runs.
func TestAnotherProcessInstalls(t *testing.T) {
	s := open(t)
	changed, cancel := s.shelf.Watch()
	defer cancel()
	defer s.run()()
	other, err := notices.Open(notices.Options{
		Dir: filepath.Join(s.dir, notices.Directory), Hall: hall, Keys: s.keys, Now: s.Now, Log: s.log(),
	})
	must(t, err)
	mine := s.shelf
	s.shelf = other
	if code := s.install(s.bundleOf(7)); code != "" {
		t.Error(code)
	}
	s.shelf = mine
	must(t, other.Close())
	s.await("version 7", func() bool { return s.version() == 7 })
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Error("nobody is told")
	}
}

// Threat 31: an order speaks of groups and bundles that there can be, of each once.
func TestThreat31OrdersOfNonsense(t *testing.T) {
	s := open(t)
	good := s.bundleOf(7)
	many := []made{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		m := good
		m.manifest.Group = name
		many = append(many, m)
	}
	with := func(change func(*made)) made {
		m := good
		change(&m)
		return m
	}
	for name, order := range map[string][]made{
		"twice": {good, good}, "a path": {with(func(m *made) { m.manifest.Group = "../x" })}, "no version": {with(func(m *made) { m.manifest.Version = 0 })},
		"no id": {with(func(m *made) { m.id = "x" })}, "an address": {with(func(m *made) { m.id = "http://169.254.169.254/latest/meta-data/xxxxxxxxxxxxxxxxxxxxxxxxxx" })},
		"very many": many,
	} {
		var refused *hallsync.SignedError
		if err := s.shelf.Ordered(s.order(1, order...)); !errors.As(err, &refused) || refused.Why != hallsync.RefusedForm {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, s.shelf.Ordered(s.order(1, good))) // none of them was followed
}

// moment runs something when a line is logged, as a power cut comes in the middle of work.
type moment struct {
	slog.Handler
	line string
	do   func()
}

func (m moment) Enabled(context.Context, slog.Level) bool { return true }

func (m moment) Handle(_ context.Context, r slog.Record) error {
	if r.Message == m.line {
		m.do()
	}
	return nil
}

// The power goes while notices are withdrawn: when it is back, they are neither shown nor fetched again.
func TestThePowerGoesWhileNoticesAreWithdrawn(t *testing.T) {
	s := open(t)
	b := s.bundleOf(7)
	s.offer(b)
	stop := s.run()
	must(t, s.shelf.Ordered(s.order(1, b)))
	s.await("version 7", func() bool { return s.version() == 7 })
	stop()
	must(t, s.shelf.Close())
	whole := filepath.Join(t.TempDir(), notices.Directory)
	must(t, os.CopyFS(whole, os.DirFS(filepath.Join(s.dir, notices.Directory))))

	cut := t.TempDir()
	quiet := slog.New(slog.DiscardHandler)
	log := slog.New(moment{quiet.Handler(), "notices withdrawn", func() {
		must(t, os.CopyFS(filepath.Join(cut, notices.Directory), os.DirFS(filepath.Join(s.dir, notices.Directory))))
	}})
	s.startWith(log)
	must(t, s.shelf.Ordered(s.order(2)))
	must(t, s.shelf.Close())
	s.dir = cut
	for range 2 {
		s.start()
		asked := s.asked
		s.want("after the cut", -1)
		stop := s.run()
		must(t, s.shelf.Ordered(s.order(3, s.bundleOf(9)))) // and then what is ordered next is asked for alone
		s.await("a question", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.asked > asked })
		stop()
		s.want("nothing of what was withdrawn", -1)
		must(t, s.shelf.Close())
		entries, err := os.ReadDir(whole) // the names were gone from the directory and are back
		must(t, err)
		for _, e := range entries {
			if e.IsDir() {
				must(t, os.CopyFS(filepath.Join(cut, notices.Directory, e.Name()), os.DirFS(filepath.Join(whole, e.Name()))))
			}
		}
	}
	s.start()
	if names := s.dirs(); names != "" {
		t.Errorf("on the disk: %s", names)
	}
}
