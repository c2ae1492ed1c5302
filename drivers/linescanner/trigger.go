package linescanner

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/scan"
)

// engine is how a scanner is told to light up.
type engine struct {
	on, off []byte // nil: cannot be told
	// answered looks for the answer to on in what came so far; nil for engines that give none.
	answered func(got []byte) (done bool, err error)
}

func engines(name string) engine {
	switch name {
	case "honeywell":
		return engine{on: scan.HoneywellTrigger(true), off: scan.HoneywellTrigger(false)}
	case "newland":
		return engine{on: scan.NewlandSetupTrigger(true), off: scan.NewlandSetupTrigger(false)}
	case "newland_unified":
		return engine{on: scan.NewlandUnifiedTrigger(true), off: scan.NewlandUnifiedTrigger(false), answered: unifiedAnswered}
	case "newland_register":
		return engine{on: scan.RegisterTrigger(), answered: registerAnswered} // goes dark by itself
	case "ssi":
		return engine{on: scan.SSITrigger(true), off: scan.SSITrigger(false), answered: ssiAnswered}
	}
	return engine{}
}

func unifiedAnswered(got []byte) (bool, error) {
	if !bytes.HasSuffix(got, []byte{';', 0x03}) {
		return false, nil
	}
	_, a, err := scan.ParseNewlandUnifiedReply(got)
	if err == nil && a != scan.Accepted {
		err = fmt.Errorf("the engine refused with %#x", a)
	}
	return true, err
}

func registerAnswered(got []byte) (bool, error) {
	r, n, err := scan.ParseRegisterReply(got)
	if err == nil && n > 0 && r.Status != scan.RegisterOK {
		err = fmt.Errorf("the engine refused with status %d", r.Status)
	}
	return n > 0 || err != nil, err
}

func ssiAnswered(got []byte) (bool, error) {
	var r scan.SSIReader
	_, others, _ := r.Feed(got)
	for _, packet := range others {
		switch packet.Op {
		case scan.OpACK:
			return true, nil
		case scan.OpNAK:
			return true, fmt.Errorf("the engine refused with % x", packet.Data)
		}
	}
	return false, nil
}

const (
	lightTime  = time.Second // long enough to be seen
	answerTime = time.Second
	maxAnswer  = 256 // bytes
	maxTrigger = 32  // bytes of a command of the site's own
)

// triggered is a Scanner whose engine can be told to light up. It implements device.SelfTester.
type triggered struct{ *Scanner }

// SelfTest lights the scanner up for a second, and checks the answer of engines that give one.
func (t *triggered) SelfTest(ctx context.Context) error {
	return t.session.Do(ctx, "self-test", t.light)
}

func (t *triggered) light(ctx context.Context, conn transport.Conn) error {
	if err := t.command(ctx, conn); err != nil {
		return err
	}
	if len(t.options.engine.off) == 0 {
		return nil
	}
	light := time.NewTimer(lightTime)
	defer light.Stop()
	select {
	case <-light.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return send(conn, t.options.engine.off)
}

// command pulls the trigger and waits for the answer. serve reads it and hands it over.
func (t *triggered) command(ctx context.Context, conn transport.Conn) error {
	e := t.options.engine
	if e.answered == nil {
		return send(conn, e.on)
	}
	heard := make(chan []byte, maxAnswer)
	t.hears.Store(&heard)
	defer t.hears.Store(nil)
	if err := send(conn, e.on); err != nil {
		return err
	}
	late := time.NewTimer(answerTime)
	defer late.Stop()
	var got []byte
	for len(got) < maxAnswer {
		select {
		case p := <-heard:
			got = append(got, p...)
		case <-late.C:
			return &device.Error{Op: "trigger", Code: device.CodeTimeout, Retry: true}
		case <-ctx.Done():
			return ctx.Err()
		}
		if done, err := e.answered(got); done {
			return err
		}
	}
	return &device.Error{Op: "trigger", Code: device.CodeBadReply, Retry: true}
}

// overheard passes bytes to a self-test that waits for an answer.
func (s *Scanner) overheard(p []byte) bool {
	heard := s.hears.Load()
	if heard == nil {
		return false
	}
	select {
	case *heard <- bytes.Clone(p):
	default: // it has heard enough
	}
	return true
}
