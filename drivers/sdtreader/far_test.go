package sdtreader

import (
	"io"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
)

const (
	findEvery = "50ms"
	told      = 14 // looks after which a driver with findEvery knows for sure that the reader is empty
)

// reader is a card reader as the far end of the line.
type reader struct {
	t *testing.T

	mu      sync.Mutex
	card    *sdt.Card
	next    *sdt.Card // put on the reader when it has told the host that the last one was lifted
	keep    bool      // the card stays after it was read
	spoilt  int       // answers that still arrive damaged before the card is taken away
	spoil   bool      // next will be spoilt
	slips   bool      // the card is taken away in the midst of being read
	text    []byte    // sent for what the card says, if not nil
	forged  bool      // every number is another one
	flag    byte      // stands for the type letter, if not 0
	short   int       // bytes of a card's answer that arrive, if not 0
	address []sdt.Private
	photo   []byte                       // 1024 bytes, or nil for an empty one
	say     map[sdt.Command][]sdt.Status // statuses given before the true answer
	always  map[sdt.Command]sdt.Status   // statuses given instead of it
	mute    map[sdt.Command]bool
	only    uint32 // termios speed it listens at; 0 for every
	asked   map[sdt.Command]int
	bad     func(frame []byte) // what becomes of the answers to looks, if not nil
	none    int                // finds since the last card that found nothing
}

func newReader(t *testing.T) *reader {
	return &reader{t: t, none: told, say: map[sdt.Command][]sdt.Status{}, always: map[sdt.Command]sdt.Status{}, mute: map[sdt.Command]bool{}, asked: map[sdt.Command]int{}}
}

// with changes the reader while it runs.
func (r *reader) with(change func(r *reader)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// tap puts a card down for one reading, once the host knows that the one before is gone.
func (r *reader) tap(c sdt.Card) { r.with(func(r *reader) { r.next, r.spoil = &c, false }) }

// tapSpoilt is tap with a card whose text always arrives damaged; it is taken away when the host has had enough of it.
func (r *reader) tapSpoilt(c sdt.Card) { r.with(func(r *reader) { r.next, r.spoil = &c, true }) }

// lay puts a card down until lift; it replaces another one from one moment to the next.
func (r *reader) lay(c sdt.Card) { r.with(func(r *reader) { r.card, r.keep = &c, true }) }

func (r *reader) lift() { r.with(func(r *reader) { r.card, r.none = nil, 0 }) }

func (r *reader) count(c sdt.Command) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[c]
}

func (r *reader) serve(rw io.ReadWriter) {
	farend.Answer(rw, &sdt.RequestDecoder{}, func(q sdt.Request) []byte { return r.answer(rw, q.Command) })
}

func (r *reader) answer(line io.ReadWriter, c sdt.Command) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.only != 0 && r.only != speed(r.t, line) {
		return nil
	}
	r.asked[c]++
	if r.mute[c] {
		return nil
	}
	status, data := r.truth(c)
	if s := r.say[c]; len(s) > 0 {
		status, data, r.say[c] = s[0], nil, s[1:]
	} else if s, ok := r.always[c]; ok {
		status, data = s, nil
	}
	if c == sdt.CmdReadCard && r.slips {
		status, data, r.card, r.none, r.slips = sdt.StatusReadFailed, nil, nil, 0, false
	}
	frame, err := sdt.AppendReply(nil, status, data)
	if err != nil {
		r.t.Error(err)
	}
	if c == sdt.CmdFind && r.bad != nil {
		r.bad(frame)
	}
	if c == sdt.CmdReadCard && status == sdt.StatusOK {
		if r.spoilt > 0 {
			r.spoilt--
			frame[len(frame)/2] ^= 0x40
		}
		if r.short > 0 {
			frame = frame[:r.short]
		}
		if !r.keep && r.spoilt == 0 {
			r.card, r.none = nil, 0
		}
	}
	return frame
}

// truth is what a well reader says.
func (r *reader) truth(c sdt.Command) (sdt.Status, []byte) {
	switch c {
	case sdt.CmdReset, sdt.CmdStatus:
		return sdt.StatusOK, nil
	case sdt.CmdSAMNumber: // of a new connection
		r.none = 0
		return sdt.StatusOK, sdt.SAMNumber{A: 5, B: 3, C: 20240101, D: 1234567, E: 987654321}.Data()
	case sdt.CmdNewestAddress:
		data, err := sdt.AddressData(r.address...)
		if err != nil {
			r.t.Error(err)
		}
		if len(data) == 0 {
			return sdt.StatusNoItem, nil
		}
		return sdt.StatusOK, data
	case sdt.CmdFind:
		if r.card == nil {
			if r.none++; r.next != nil && r.none > told {
				r.card, r.next, r.keep, r.spoilt = r.next, nil, false, 0
				if r.spoil {
					r.spoilt = maxTries
				}
			}
			return sdt.StatusNoCard, nil
		}
		return sdt.StatusFound, make([]byte, 4)
	}
	if r.card == nil {
		return sdt.StatusSelectFailed, nil
	}
	if c == sdt.CmdSelect {
		return sdt.StatusOK, make([]byte, 8)
	}
	if r.text != nil {
		return sdt.StatusOK, r.text
	}
	data, err := sdt.CardData(*r.card, r.photo)
	if err != nil {
		r.t.Error(err)
	}
	const lengths, number, flag = 4, 122, 248 // where they stand
	if r.forged {
		data[lengths+number]++
	}
	if r.flag != 0 {
		data[lengths+flag] = r.flag
	}
	return sdt.StatusOK, data
}

// speed is the line's speed as the host set it.
func speed(t *testing.T, line io.ReadWriter) uint32 {
	raw, err := line.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Error(err)
		return 0
	}
	var tio *unix.Termios
	if e := raw.Control(func(fd uintptr) { tio, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); e != nil || err != nil {
		return 0 // unplugged
	}
	return tio.Cflag & unix.CBAUD
}

// rig is a driver at work on a reader.
type rig struct {
	t      *testing.T
	device *Reader
	far    *reader
	log    *drivertest.Log
}

func start(t *testing.T, far *reader, baud int, options map[string]string) *rig {
	t.Helper()
	line := drivertest.Cable(t, far.serve)
	r := &rig{t: t, far: far, log: new(drivertest.Log)}
	if options == nil {
		options = map[string]string{}
	}
	options["find_every"] = findEvery
	d, err := New(registry.Config{
		Name: "kiosk-1.idcard", Connect: registry.Connect{Serial: line.Path(), Baud: baud}, Options: options, Log: r.log.Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.device = d.(*Reader)
	drivertest.Run(t, d)
	return r
}

// card waits for the next card.
func (r *rig) card() device.IDCard {
	r.t.Helper()
	return drivertest.Next(r.t, r.device, r.device.Cards())
}

// told waits for what could not be read.
func (r *rig) told() device.Fault {
	r.t.Helper()
	return drivertest.Next(r.t, r.device, r.device.Unread()).Fault
}

// untold checks that nobody was told of anything until now.
func (r *rig) untold() {
	r.t.Helper()
	select {
	case u := <-r.device.Unread():
		r.t.Errorf("told %s", u.Fault)
	default:
	}
}

// none checks that no card came until now.
func (r *rig) none() {
	r.t.Helper()
	select {
	case c := <-r.device.Cards():
		r.t.Errorf("the card %s came", c.Number.Reveal())
	default:
	}
}

// asked waits until the reader was asked n times more.
func (r *rig) asked(c sdt.Command, n int) {
	r.t.Helper()
	n += r.far.count(c)
	drivertest.Until(r.t, "questions", func() bool { return r.far.count(c) >= n })
}
