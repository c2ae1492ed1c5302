package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"halledge/drivers/device"
)

// midJob is how many bytes of a job reach the printer before it fails.
const midJob = 24

// PrinterHarness is a printer driver under test. Slips gives the text of every slip that was cut so far. Mute says that the printer
// tells nothing: what was sent counts as printed.
type PrinterHarness struct {
	Harness
	Slips func() []string
	Mute  bool
}

// Printer tests a driver of class printer.
func Printer(t *testing.T, fresh Fresh[PrinterHarness]) {
	fit := func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		n := 0
		return h.Harness, func(r *rig) {
			n++
			r.prints(h, fmt.Sprintf("A%03d", n))
		}
	}
	life(t, fit)
	t.Run("refuses a job while absent", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.reaches(device.Offline)
		err := r.print(t.Context(), "A001")
		r.fails(err, device.CodeOffline)
		r.leaves(err, device.OutNothing)
	})
	t.Run("prints one job after the other", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		const jobs = 4
		calls := make(chan error, jobs)
		for i := range jobs {
			go func() { calls <- r.print(t.Context(), fmt.Sprintf("A%03d", i)) }()
		}
		for range jobs {
			if err := r.returns("Print", calls, Patience); err != nil {
				t.Error(err)
			}
		}
		for i := range jobs {
			r.cuts(h, fmt.Sprintf("A%03d", i), 1)
		}
		if n := len(h.Slips()); n != jobs {
			t.Errorf("%d jobs gave %d slips", jobs, n)
		}
	})
	if fresh(t).Mute {
		mutePrinter(t, fresh)
		return
	}
	babbles(t, fit)
	tellingPrinter(t, fresh)
}

// tellingPrinter tests what only a printer that answers can know.
func tellingPrinter(t *testing.T, fresh Fresh[PrinterHarness]) {
	t.Run("fails a job that loses its printer", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		fell := r.far.muteAfter(midJob)
		call := make(chan error, 1)
		go func() { call <- r.print(t.Context(), "A001") }()
		<-fell
		r.unplug()
		err := r.returns("Print", call, Patience)
		r.fails(err)
		r.leaves(err, device.OutUnknown)
		r.reaches(device.Offline)
		r.far.mute(false)
		r.plug()
		r.reaches(device.OK)
		r.prints(h, "A002")
	})
	t.Run("gives a cancelled job back at once", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		fell := r.far.muteAfter(midJob)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		call := make(chan error, 1)
		go func() { call <- r.print(ctx, "A001") }()
		<-fell
		cancel()
		r.fails(r.returns("Print", call, stopsWithin))
		r.far.mute(false)
		r.settles(func(r *rig) { r.prints(h, "A002") })
	})
}

// mutePrinter tests a printer without a way back: nobody may take what he does not know for a fault, or for paper that is there.
func mutePrinter(t *testing.T, fresh Fresh[PrinterHarness]) {
	t.Run("says that it knows nothing of the printer", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.prints(h, "A001")
		if health := r.device.Health(); !health.Blind || health.State != device.OK {
			t.Errorf("its health is %+v", health)
		}
		if sensor, ok := r.device.(device.PaperSensor); ok {
			_, err := sensor.Paper(t.Context())
			r.fails(err, device.CodeUnsupported)
		}
	})
	t.Run("knows when the cable is gone", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.unplug()
		r.reaches(device.Offline)
		err := r.print(t.Context(), "A001")
		r.fails(err, device.CodeOffline)
		r.leaves(err, device.OutNothing)
	})
}

// secretOfJob is on each slip and must be nowhere else.
const secretOfJob = "张测试"

func (r *rig) print(ctx context.Context, number string) error {
	r.hides(secretOfJob)
	return r.device.(device.Printer).Print(ctx, device.PrintJob{
		ID: "job-" + number,
		Lines: []device.Line{
			{Text: "政务服务大厅", Align: device.Center, Bold: true},
			{Text: number, Align: device.Center, Size: 4},
			{Text: secretOfJob},
			{Rule: true},
			{QR: "https://hall.example/t/" + number, Align: device.Center},
			{Feed: 1},
		},
		Cut: true,
	})
}

// leaves checks how much of a failed job is said to be on paper.
func (r *rig) leaves(err error, want device.Outcome) {
	r.t.Helper()
	var de *device.Error
	if errors.As(err, &de) && de.Out != want {
		r.t.Errorf("%v leaves %q on paper, want %q", err, de.Out, want)
	}
}

// prints proves that a job comes out as exactly one slip.
func (r *rig) prints(h PrinterHarness, number string) {
	r.t.Helper()
	if err := r.print(r.t.Context(), number); err != nil {
		r.t.Fatalf("Print: %v\n%s", err, r.log.String())
	}
	r.cuts(h, number, 1)
}

// cuts waits until a slip with number is out and checks that there are no more than want, none of two jobs mixed.
func (r *rig) cuts(h PrinterHarness, number string, want int) {
	r.t.Helper()
	with := func() (slips []string) {
		return slices.DeleteFunc(slices.Clone(h.Slips()), func(slip string) bool { return !strings.Contains(slip, number) })
	}
	r.until("slip "+number, func() bool { return len(with()) >= want })
	slips := with()
	if len(slips) != want || strings.Count(slips[0], secretOfJob) != 1 {
		r.t.Errorf("job %s gave %d slips: %q", number, len(slips), slips)
	}
}
