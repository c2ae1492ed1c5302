package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
)

// rig is one running device with its cable, which is unplugged at first.
type rig struct {
	t      *testing.T
	device device.Device
	line   farend.Line
	far    *tap
	log    Log
	ended  chan error
	cancel context.CancelFunc

	mu      sync.Mutex
	private []string // must never be seen; several jobs at once add to it
	texts   []string // errors that the device gave, and what it delivered as it is printed
}

// start builds and runs the device of h. When the test ends it stops it and checks what it left behind.
func start(t *testing.T, h Harness) *rig {
	t.Helper()
	before := goroutines()
	r := &rig{t: t, far: &tap{serve: h.Far}, ended: make(chan error, 1)}
	cfg := registry.Config{
		Name:    "kiosk-1.device",
		Options: h.Options,
		Log:     r.log.Logger(),
	}
	switch {
	case h.TCP:
		line, err := farend.NewTCP(r.far.Serve)
		if err != nil {
			t.Fatal(err)
		}
		r.line, cfg.Connect = line, registry.Connect{TCP: line.Addr()}
	case h.Pipe:
		line := farend.NewPipe(filepath.Join(t.TempDir(), "lp0"), r.far.Serve)
		r.line, cfg.Connect = line, registry.Connect{File: line.Path()}
	default:
		line := farend.NewPTY(filepath.Join(t.TempDir(), "tty"), r.far.Serve)
		r.line, cfg.Connect = line, registry.Connect{Serial: line.Path()}
	}
	var err error
	if r.device, err = h.New(cfg); err != nil {
		t.Fatal(err)
	}
	if state := r.device.Health().State; state != device.Starting {
		t.Errorf("before Run the state is %s, want starting", state)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.device.Run(ctx) }()
	t.Cleanup(func() {
		r.stop()
		r.unplug()
		noneLeft(t, before)
		r.noSecrets()
	})
	return r
}

// stop ends the device. It may be called again.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		if !errors.Is(err, context.Canceled) {
			r.t.Errorf("Run gave %v, want the context's end", err)
		}
		r.ended <- err
	case <-time.After(stopsWithin):
		r.t.Fatal("the device does not stop")
	}
}

func (r *rig) plug() {
	r.t.Helper()
	if err := r.line.Plug(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) unplug() {
	r.t.Helper()
	if err := r.line.Unplug(); err != nil {
		r.t.Fatal(err)
	}
}

// reaches waits until the device's state is want.
func (r *rig) reaches(want device.State) {
	r.t.Helper()
	r.until("state "+string(want), func() bool { return r.device.Health().State == want })
}

// opens waits until the device was opened n times.
func (r *rig) opens(n uint64) {
	r.t.Helper()
	r.until("opening", func() bool { return r.device.Health().Counters.Opens >= n })
}

// until waits for a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	waitFor(r.t, what, ok, func() string {
		h := r.device.Health()
		return string(h.State) + " " + string(h.Code) + " " + h.Detail + "\n" + r.log.String()
	})
}

// settles waits until the device is OK after a disturbance and works.
func (r *rig) settles(works func(*rig)) {
	r.t.Helper()
	r.far.quiet()
	r.reaches(device.OK)
	works(r)
}

// hides names texts that must appear in no log, no error and no health.
func (r *rig) hides(texts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.private = append(r.private, texts...)
}

// fails checks that err is a *device.Error with one of the codes, or with any if none is given.
func (r *rig) fails(err error, codes ...device.Code) {
	r.t.Helper()
	var de *device.Error
	if !errors.As(err, &de) {
		r.t.Errorf("got %v, want a *device.Error", err)
		return
	}
	r.texts = append(r.texts, err.Error())
	for _, code := range codes {
		if de.Code == code {
			return
		}
	}
	if len(codes) > 0 {
		r.t.Errorf("got code %s (%v), want one of %v", de.Code, err, codes)
	}
}

// returns gives what call returns once ctx has ended; that must be soon.
func (r *rig) returns(what string, call <-chan error, within time.Duration) error {
	r.t.Helper()
	select {
	case err := <-call:
		return err
	case <-time.After(within):
		r.t.Fatalf("%s does not return", what)
		return nil
	}
}

func (r *rig) noSecrets() {
	r.t.Helper()
	said := append(r.texts, r.log.String(), fmt.Sprintf("%+v", r.device.Health()))
	for _, secret := range r.private {
		for _, text := range said {
			if bytes.Contains([]byte(text), []byte(secret)) {
				r.t.Errorf("%q can be read in %q", secret, text)
			}
		}
	}
}

// goroutines gives the stacks of all goroutines by their header "goroutine 7".
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		all[id] = stack
	}
	return all
}

// noneLeft waits until every goroutine of ours that was born since before has ended.
func noneLeft(t *testing.T, before map[string]string) {
	t.Helper()
	var left []string
	waitFor(t, "the device's goroutines to end", func() bool {
		left = left[:0]
		for id, stack := range goroutines() {
			if before[id] == "" && strings.Contains(stack, "halledge/") {
				left = append(left, stack)
			}
		}
		return len(left) == 0
	}, func() string { return strings.Join(left, "\n\n") })
}
