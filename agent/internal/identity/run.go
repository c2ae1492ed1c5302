package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"halledge/firmware-protocols/hallsync"
)

// fileProvision holds the code that the box is to enrol with, until it has; fileTurn is locked while somebody asks the centre.
const (
	fileProvision = "provision.json"
	fileTurn      = ".turn"
)

// Times of asking the centre.
const (
	lookEvery  = 2 * time.Second // at what another process has changed here
	askFirst   = 15 * time.Second
	askLast    = 10 * time.Minute
	askRefused = time.Hour // what was refused is hardly taken soon
	maxWait    = 6 * time.Hour
)

// State is how the box stands with the centre.
type State string

// The states.
const (
	NotEnrolled State = "not_enrolled" // it works alone
	Enrolling   State = "enrolling"    // it has a code and has not reached the centre
	Good        State = "good"
	Ending      State = "ending"  // it should have new certificates by now
	Ended       State = "ended"   // its certificates are over
	Waiting     State = "waiting" // they are over, and an operator has to approve new ones
)

// Status is the state, and what there is to say of it.
type Status struct {
	State State
	Until time.Time // end of the certificates; zero: there are none
	MQTT  string    // where the centre said that its broker is; empty: it did not
	Fault error     // why the centre was asked in vain the last time; nil: it was not
}

// Status gives the state now.
func (i *Identity) Status() Status {
	now := i.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	s := Status{Fault: i.failed}
	if i.now == nil {
		s.State = NotEnrolled
		if i.pending {
			s.State = Enrolling
		}
		return s
	}
	s.Until = i.now.until
	if told := i.now.Enrolled.Addresses; told != nil {
		s.MQTT = told.MQTT
	}
	switch life := i.now.until.Sub(i.now.from); {
	case !now.Before(i.now.until) && i.waiting:
		s.State = Waiting
	case !now.Before(i.now.until):
		s.State = Ended
	case now.After(i.now.from.Add(life / 4 * 3)):
		s.State = Ending
	default:
		s.State = Good
	}
	return s
}

// provision is a code that waits for the centre.
type provision struct {
	File   string `json:"file"`             // as the centre wrote it
	Serial string `json:"serial,omitempty"` // of the box, as its maker printed it
}

// Keep stores what the box is to enrol with as soon as it reaches the centre. It fails with *Fault.
func (i *Identity) Keep(p hallsync.Provision, serial string) error {
	if p.Code.Hall != i.o.Hall {
		return &Fault{Code: CodeForeign, Args: map[string]string{"hall": string(p.Code.Hall), "own": string(i.o.Hall)}}
	}
	if _, _, err := centreURL(p.Addresses.HTTPS, "https"); err != nil {
		return err
	}
	if !p.Until.IsZero() && i.o.Now().After(p.Until) {
		return &Fault{Code: CodeOver}
	}
	file, err := p.Encode()
	if err != nil {
		return fmt.Errorf("keep provision: %w", err)
	}
	data, err := json.Marshal(provision{string(file), serial})
	if err != nil {
		return fmt.Errorf("keep provision: %w", err)
	}
	return i.dir.write(fileProvision, data)
}

// Enrol keeps the code and shows it to the centre at once. A code that the centre refuses is forgotten; after any other failure, and while
// somebody at the centre has to act first, for which it gives the time to wait, Run goes on asking. It fails with *Fault.
func (i *Identity) Enrol(ctx context.Context, p hallsync.Provision, serial string) (wait time.Duration, err error) {
	turn, err := i.turn()
	if err != nil {
		return 0, err
	}
	defer turn.Close()
	if err := i.Keep(p, serial); err != nil {
		return 0, err
	}
	wait, err = i.enrol(ctx, p, serial)
	if isFault(err, CodeRefused) || isFault(err, CodePin) {
		err = errors.Join(err, i.dir.remove(fileProvision))
	}
	return wait, err
}

// turn waits until nobody else asks the centre in our name.
func (i *Identity) turn() (*os.File, error) {
	f, err := os.OpenFile(i.dir.at(fileTurn), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, fmt.Errorf("wait for turn: %w", err)
	}
	return f, nil
}

// Run enrols the box when it has a code, renews its certificates from two thirds of their life on and when there is need of others, and
// takes over what a command has changed, until ctx ends.
func (i *Identity) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var next time.Time // when the centre may be asked again
	pause := askFirst
	var seen [2]string // nothing: a command may have been here since Open
	for {
		if now := i.stamp(); now != seen { // a command was here
			seen, next, pause = now, time.Time{}, askFirst
			if err := i.reload(); err != nil {
				i.o.Log.Error("changed identity not taken over", "error", err)
			}
		}
		if !time.Now().Before(next) {
			wait, err := i.step(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				i.o.Log.Warn("centre asked in vain", "error", err)
				next = time.Now().Add(pause/2 + mrand.N(pause))
				if pause = min(2*pause, askLast); isFault(err, CodeRefused) || isFault(err, CodePin) {
					next = time.Now().Add(askRefused)
				}
			default:
				next, pause = time.Now().Add(wait), askFirst
			}
			i.fail(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (i *Identity) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.failed = err
}

// stamp tells whether the files that commands change are as they were.
func (i *Identity) stamp() (s [2]string) {
	for n, name := range []string{filePapers, fileProvision} {
		if info, err := os.Stat(i.dir.at(name)); err == nil {
			s[n] = fmt.Sprint(info.ModTime().UnixNano(), info.Size())
		}
	}
	return s
}

// reload takes over papers that another process has written. Damaged ones change nothing: those in force stay.
func (i *Identity) reload() error {
	if err := i.load(false); err != nil {
		return err
	}
	i.loadFloor()
	i.loadRevoked()
	return nil
}

// step asks the centre what there is to ask now, and gives how long there is nothing more.
func (i *Identity) step(ctx context.Context) (time.Duration, error) {
	p, kept, err := i.kept()
	i.mu.Lock()
	i.pending = kept
	i.mu.Unlock()
	if err != nil {
		return 0, err
	}
	in := i.papers()
	if kept {
		wait, err := i.stepEnrol(ctx, p)
		if in == nil || err == nil && wait == 0 || ctx.Err() != nil || !i.due(in) {
			return wait, err
		} // a code that leads nowhere must not let the certificates in force run out
	}
	if in == nil || !i.due(in) {
		return lookEvery, nil
	}
	wait, err := i.renew(ctx, in)
	i.mu.Lock()
	i.waiting = err == nil && wait > 0
	i.mu.Unlock()
	if err == nil && wait == 0 {
		i.moved.asked = time.Now()
		i.Worked()
		i.o.Log.Info("certificates renewed", "until", i.papers().until)
	}
	return min(wait, maxWait), err
}

func (i *Identity) stepEnrol(ctx context.Context, p provision) (time.Duration, error) {
	turn, err := i.turn()
	if err != nil {
		return 0, err
	}
	defer turn.Close()
	if again, kept, err := i.kept(); err != nil || !kept || again != p {
		return 0, err // a command was faster
	}
	file, err := hallsync.ParseProvision([]byte(p.File))
	if err != nil {
		return 0, &Fault{Code: CodeFile, Path: i.dir.at(fileProvision)}
	}
	wait, err := i.enrol(ctx, file, p.Serial)
	if isFault(err, CodeRefused) && i.Enrolled() { // it was used up by us before a power cut, or it is of no use
		err = errors.Join(err, i.dir.remove(fileProvision))
	}
	if err == nil && wait == 0 {
		i.o.Log.Info("enrolled", "until", i.papers().until)
	}
	return min(wait, maxWait), err
}

// kept gives the code that waits.
func (i *Identity) kept() (p provision, kept bool, err error) {
	data, err := i.dir.read(fileProvision)
	if err != nil || data == nil {
		return provision{}, false, err
	}
	if json.Unmarshal(data, &p) != nil {
		return provision{}, false, &Fault{Code: CodeFile, Path: i.dir.at(fileProvision)}
	}
	return p, true, nil
}

// Format implements fmt.Formatter for every verb: the code is in the file.
func (p provision) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "provision") }

// ParseProvision reads the file that travelled to the hall, or gives what a code and an address say. It fails with *Fault.
func ParseProvision(line, https string) (hallsync.Provision, error) {
	code, err := hallsync.ParseEnrolCode(line)
	if err != nil {
		return hallsync.Provision{}, &Fault{Code: CodeLine}
	}
	return hallsync.Provision{Code: code, Addresses: hallsync.CentreAddresses{HTTPS: strings.TrimSpace(https)}}, nil
}

// ReadProvision reads the file that travelled to the hall. It fails with *Fault.
func ReadProvision(path string) (hallsync.Provision, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		var p hallsync.Provision
		if p, err = hallsync.ParseProvision(data); err == nil {
			return p, nil
		}
	}
	return hallsync.Provision{}, &Fault{Code: CodeFile, Path: path, Err: err}
}
