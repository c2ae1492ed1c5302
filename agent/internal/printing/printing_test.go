package printing_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/printing"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// paper is a printer's far end without a wire: what the room hands over is what lies in the tray.
type paper struct {
	device.Device
	mu   sync.Mutex
	tray []string
	fail error
	gate chan struct{} // if set, a job waits for it
	busy atomic.Int32
	ill  atomic.Bool // without paper, and known to be
}

func (p *paper) Health() device.Health {
	if p.ill.Load() {
		return device.Health{State: device.Degraded, Code: device.CodePaperOut}
	}
	return device.Health{State: device.OK}
}

func (p *paper) Print(ctx context.Context, job device.PrintJob) error {
	if p.busy.Add(1) > 1 {
		return errors.New("two jobs at once")
	}
	defer p.busy.Add(-1)
	if p.gate != nil {
		select {
		case <-p.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		p.tray = append(p.tray, job.ID)
	}
	return p.fail
}

func (p *paper) slips() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tray)
}

type rig struct {
	t      *testing.T
	hall   *hall.Hall
	room   *printing.Room
	clock  atomic.Int64            // seconds the hall's clock is ahead
	refuse atomic.Pointer[failing] // if set, progress of slips in that state is not stored
	stop   func()                  // ends the room and the store
}

// failing is a log that cannot take facts about slips in one state.
type failing struct {
	state hallsync.PrintState
	tries atomic.Int32
}

// Read, Watch and Do make the rig a printing.Hall whose disk fails when told.
func (r *rig) Read(f func(*queue.State, hallsync.Seq)) { r.hall.Read(f) }
func (r *rig) Look(f func(queue.Moment))               { r.hall.Look(f) }
func (r *rig) Watch() (<-chan struct{}, func())        { return r.hall.Watch() }

func (r *rig) Do(ctx context.Context, c queue.Command) ([]hallsync.Payload, error) {
	p, ok := c.(queue.SlipProgress)
	if f := r.refuse.Load(); f != nil && ok && p.State == f.state {
		if f.tries.Add(1) > 50 {
			r.refuse.Store(nil)
			r.t.Error("the room tries again without a pause")
		}
		return nil, &store.Error{Op: "commit", Code: store.Full}
	}
	return r.hall.Do(ctx, c)
}

func open(t *testing.T, dir string, printers map[string]*paper) *rig {
	t.Helper()
	r := &rig{t: t}
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(dir, store.Options{Hall: "440900000000001", Delivered: "cloud", Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	plan := &queue.Plan{Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}}
	begun, monday := time.Now(), time.Date(2030, 3, 4, 9, 0, 0, 0, time.UTC) // synctest begins in 2000, before any hall
	now := func() time.Time { return monday.Add(time.Since(begun) + time.Duration(r.clock.Load())*time.Second) }
	r.hall, err = hall.New(st, plan, quiet, halltest.Clock(now))
	if err != nil {
		t.Fatal(err)
	}
	r.room = printing.New(printing.Options{
		Hall: r, Log: quiet,
		Printer: func(place string, spare bool) (string, device.Printer, bool) {
			if spare {
				p := printers[place+" spare"]
				return place + ".spare", p, p != nil
			}
			p := printers[place]
			if place == "kiosk-2b" { // shares the printer of its neighbour
				place = "kiosk-2"
			}
			return place + ".printer", p, p != nil
		},
		Render: func(_ queue.Moment, tk queue.Ticket, _ string) (device.PrintJob, error) {
			if tk.ID == "bad" {
				panic("no such field")
			}
			return device.PrintJob{ID: tk.Number}, nil
		},
	})
	storeCtx, storeCancel := context.WithCancel(context.Background())
	roomCtx, roomCancel := context.WithCancel(context.Background())
	var storeDone, roomDone sync.WaitGroup
	storeDone.Go(func() { _ = st.Run(storeCtx) })
	roomDone.Go(func() { _ = r.room.Run(roomCtx) })
	r.stop = sync.OnceFunc(func() {
		roomCancel()
		roomDone.Wait()
		storeCancel()
		storeDone.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) take(id, place string) {
	r.t.Helper()
	_, err := r.hall.Do(context.Background(), queue.Take{Ticket: hallsync.TicketID(id), Queue: "A", Channel: hallsync.AtKiosk, Printer: place})
	if err != nil {
		r.t.Fatal(err)
	}
}

// until waits until a ticket's slip is in a state.
func (r *rig) until(id string, want hallsync.PrintState) {
	r.t.Helper()
	dirty, cancel := r.hall.Watch()
	defer cancel()
	deadline := time.After(20 * time.Second)
	for {
		var got hallsync.PrintState
		r.hall.Read(func(s *queue.State, _ hallsync.Seq) {
			tk, _ := s.Ticket(hallsync.TicketID(id))
			got = tk.Print
		})
		if got == want {
			return
		}
		select {
		case <-dirty:
		case <-deadline:
			r.t.Fatalf("slip of %s is %s, want %s", id, got, want)
		}
	}
}

func TestSlipsComeOutInOrderAndOnce(t *testing.T) {
	p := &paper{}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": p})
	for _, id := range []string{"a", "b", "c"} {
		r.take(id, "kiosk-1")
	}
	r.until("c", hallsync.SlipPrinted)
	if got := p.slips(); !slices.Equal(got, []string{"A001", "A002", "A003"}) {
		t.Errorf("tray %v", got)
	}
}

func TestFailureIsAFactAndReprintIsAnotherCopy(t *testing.T) {
	p := &paper{fail: &device.Error{Op: "print", Code: device.CodePaperOut}}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": p})
	r.take("a", "kiosk-1")
	r.until("a", hallsync.SlipFailed)
	p.mu.Lock()
	p.fail = nil
	p.mu.Unlock()
	if _, err := r.hall.Do(context.Background(), queue.Reprint{Ticket: "a", Printer: "kiosk-1"}); err != nil {
		t.Fatal(err)
	}
	r.until("a", hallsync.SlipPrinted)
	if got := p.slips(); len(got) != 1 {
		t.Errorf("tray %v", got)
	}
}

// ticket gives a ticket as the hall knows it.
func (r *rig) ticket(id string) (tk queue.Ticket) {
	r.hall.Read(func(s *queue.State, _ hallsync.Seq) { tk, _ = s.Ticket(hallsync.TicketID(id)) })
	return tk
}

// What failed and cannot be whole comes out of the second printer, as another copy of the same number. What may be whole does not.
func TestTheSecondPrinterMakesWhatFailed(t *testing.T) {
	for out, again := range map[device.Outcome]bool{device.OutNothing: true, device.OutPart: true, device.OutUnknown: false} {
		own, spare := &paper{fail: &device.Error{Op: "print", Code: device.CodePaperOut, Out: out}}, &paper{}
		r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": own, "kiosk-1 spare": spare})
		r.take("a", "kiosk-1")
		if !again {
			r.until("a", hallsync.SlipFailed)
			r.take("b", "nowhere")
			r.until("b", hallsync.SlipFailed) // the room has looked again since
			if got := spare.slips(); len(got) != 0 || r.ticket("a").Reprints != 0 {
				t.Errorf("%q: the spare printed %v", out, got)
			}
			continue
		}
		r.until("a", hallsync.SlipPrinted)
		tk := r.ticket("a")
		if got := spare.slips(); !slices.Equal(got, []string{"A001"}) || tk.Reprints != 1 || tk.Slip.Device != "kiosk-1.spare" {
			t.Errorf("%q: the spare printed %v of %+v", out, got, tk)
		}
	}
}

func TestTheSecondPrinterIsTriedOnce(t *testing.T) {
	broken := &device.Error{Op: "print", Code: device.CodeCoverOpen, Out: device.OutNothing}
	own, spare := &paper{fail: broken}, &paper{fail: broken}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": own, "kiosk-1 spare": spare})
	r.take("a", "kiosk-1")
	r.until("a", hallsync.SlipFailed) // at the first printer it fails and is asked for again in one transaction
	r.take("b", "nowhere")
	r.until("b", hallsync.SlipFailed)
	if tk := r.ticket("a"); tk.Print != hallsync.SlipFailed || tk.Reprints != 1 || tk.Slip.Device != "kiosk-1.spare" {
		t.Errorf("%+v", tk)
	}
}

// A printer that is known to be without paper is not asked first: nothing failed, and the slip is no copy.
func TestAPrinterKnownToBeIllIsPassedBy(t *testing.T) {
	own, spare := &paper{}, &paper{}
	own.ill.Store(true)
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": own, "kiosk-1 spare": spare})
	r.take("a", "kiosk-1")
	r.until("a", hallsync.SlipPrinted)
	own.ill.Store(false)
	r.take("b", "kiosk-1")
	r.until("b", hallsync.SlipPrinted)
	if a, b := spare.slips(), own.slips(); !slices.Equal(a, []string{"A001"}) || !slices.Equal(b, []string{"A002"}) || r.ticket("a").Reprints != 0 {
		t.Errorf("the spare printed %v, the first %v", a, b)
	}
	spare.ill.Store(true)
	own.ill.Store(true)
	own.mu.Lock()
	own.fail = &device.Error{Op: "print", Code: device.CodePaperOut, Out: device.OutNothing}
	own.mu.Unlock()
	r.take("c", "kiosk-1")
	r.until("c", hallsync.SlipFailed)
	if tk := r.ticket("c"); tk.Slip.Device != "kiosk-1.printer" || tk.Slip.Out != hallsync.OutNothing {
		t.Errorf("%+v", tk)
	}
}

func TestADeadPrinterHoldsUpNoOther(t *testing.T) {
	slow := &paper{gate: make(chan struct{})}
	quick := &paper{}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": slow, "kiosk-2": quick})
	r.take("a", "kiosk-1")
	r.until("a", hallsync.SlipPrinting)
	r.take("b", "kiosk-2")
	r.until("b", hallsync.SlipPrinted)
	r.take("c", "kiosk-9")
	r.until("c", hallsync.SlipFailed) // no printer there
	close(slow.gate)
	r.until("a", hallsync.SlipPrinted)
}

func TestASlipUnderWayIsFinishedBeforeStopping(t *testing.T) {
	p := &paper{gate: make(chan struct{})}
	dir := t.TempDir()
	r := open(t, dir, map[string]*paper{"kiosk-1": p})
	r.take("a", "kiosk-1")
	r.until("a", hallsync.SlipPrinting)
	go close(p.gate)
	r.stop()
	r = open(t, dir, map[string]*paper{"kiosk-1": p})
	r.until("a", hallsync.SlipPrinted)
}

func TestAnInterruptedSlipIsNotPrintedAgain(t *testing.T) {
	dir := t.TempDir()
	p := &paper{}
	r := open(t, dir, nil)
	// As if the agent had died between the first byte and the printer's answer.
	r.take("a", "")
	_, err := r.hall.Do(context.Background(), queue.SlipProgress{SlipChanged: hallsync.SlipChanged{Ticket: "a", State: hallsync.SlipPrinting}})
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = open(t, dir, map[string]*paper{"": p, "kiosk-1": p})
	r.until("a", hallsync.SlipFailed)
	if got := p.slips(); len(got) != 0 {
		t.Errorf("tray %v", got)
	}
}

func TestAPrinterSharedByTwoPlacesGetsOneJobAtATime(t *testing.T) {
	p := &paper{gate: make(chan struct{})}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-2": p, "kiosk-2b": p})
	r.take("a", "kiosk-2")
	r.until("a", hallsync.SlipPrinting)
	r.take("b", "kiosk-2b")
	r.take("c", "kiosk-2")
	close(p.gate)
	for _, id := range []string{"a", "b", "c"} {
		r.until(id, hallsync.SlipPrinted)
	}
	if got := p.slips(); !slices.Equal(got, []string{"A001", "A002", "A003"}) {
		t.Errorf("tray %v", got)
	}
}

func TestATemplateThatPanicsCostsOneSlip(t *testing.T) {
	p := &paper{}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": p})
	r.take("bad", "kiosk-1")
	r.take("good", "kiosk-1")
	r.until("bad", hallsync.SlipFailed)
	r.until("good", hallsync.SlipPrinted)
}

func TestNothingIsPrintedForATicketTheDayHasForgotten(t *testing.T) {
	p := &paper{gate: make(chan struct{})}
	r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": p})
	r.refuse.Store(&failing{state: hallsync.SlipPrinting})
	r.take("old", "kiosk-1")
	r.clock.Store(24 * 3600)
	r.refuse.Store(nil)
	close(p.gate)
	r.take("new", "kiosk-1")
	r.until("new", hallsync.SlipPrinted)
	if got := p.slips(); !slices.Equal(got, []string{"A001"}) {
		t.Errorf("tray %v", got)
	}
}

// A full disk must neither make the room spin nor leave a slip for ever on its way.
func TestALogThatCannotBeWrittenIsTriedAgainWithPatience(t *testing.T) {
	for _, state := range []hallsync.PrintState{hallsync.SlipPrinting, hallsync.SlipPrinted} {
		t.Run(string(state), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &paper{}
				r := open(t, t.TempDir(), map[string]*paper{"kiosk-1": p})
				f := &failing{state: state}
				r.refuse.Store(f)
				r.take("a", "kiosk-1")
				time.Sleep(20 * time.Second)
				if n := f.tries.Load(); n < 5 || n > 15 {
					t.Errorf("%d tries in 20 s", n)
				}
				r.refuse.Store(nil)
				r.until("a", hallsync.SlipPrinted)
				if got := p.slips(); len(got) != 1 {
					t.Errorf("tray %v", got)
				}
				r.stop()
			})
		})
	}
}
