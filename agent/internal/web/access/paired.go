package access

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"halledge/agent/kit/problem"
	"halledge/agent/kit/whole"
)

// Bounds of what was paired.
const (
	maxPaired     = 256
	maxPairedFile = 1 << 20
	seenEvery     = time.Hour // how exactly the file knows when a device was there last
)

// pairedFile holds the paired devices, in the data directory.
const pairedFile = "paired.json"

// Device is a machine of the hall whose browser was let in by a short code.
type Device struct {
	ID    string    `json:"id"`
	Place string    `json:"place"` // kiosk-1, screen-1, or rate-1 for the tablet of window 1
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"` // it was there last
	From  string    `json:"from"` // the address it was paired at
	By    string    `json:"by"`   // who let it in: a role, and a member of staff if it was one
}

// paired is a device as the file has it. Its browser alone knows the secret.
type paired struct {
	Device
	Digest string    `json:"digest"`
	kept   time.Time // Seen as the file has it
}

// pairs are the machines that wait for somebody to let them in, and those that were let in.
type pairs struct {
	file string
	log  *slog.Logger

	mu      sync.Mutex
	waiting map[string]*waiting // by code
	devices map[string]*paired  // by digest
	gone    chan struct{}       // closed when a device may no more, and made anew
}

// openPairs reads what was paired. A file that cannot be understood is put aside: the hall goes on, its devices must be paired anew.
func openPairs(dir string, log *slog.Logger) (*pairs, error) {
	p := &pairs{
		file: filepath.Join(dir, pairedFile), log: log, waiting: map[string]*waiting{}, devices: map[string]*paired{}, gone: make(chan struct{}),
	}
	raw, err := readBounded(p.file, maxPairedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("access: paired devices: %w", err)
	}
	var list []*paired
	if err := json.Unmarshal(raw, &list); err != nil || len(list) > maxPaired || slices.Contains(list, nil) {
		log.Error("paired devices not understood, put aside", "file", p.file, "error", err)
		if err := os.Rename(p.file, p.file+".bad"); err != nil {
			return nil, fmt.Errorf("access: paired devices: %w", err)
		}
		return p, nil
	}
	for _, x := range list {
		x.kept = x.Seen
		p.devices[x.Digest] = x
	}
	return p, nil
}

func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, limit))
}

// find gives who a device's secret belongs to at a page.
func (p *pairs) find(secret, page string) (Who, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.devices[digest(secret)]
	if x == nil || x.Place != page {
		return Who{}, errNotSignedIn
	}
	who, ok := machineAt(page)
	if !ok { // the file was written by hand
		return Who{}, errNotSignedIn
	}
	if x.Seen = time.Now(); x.Seen.Sub(x.kept) >= seenEvery {
		x.kept = x.Seen
		if err := p.keep(p.devices); err != nil {
			p.log.Warn("paired devices not saved", "error", err)
		}
	}
	who.Credential = "pair/" + x.ID
	return who, nil
}

// machineAt gives whom a page of a machine lets in: no page of people is one.
func machineAt(page string) (Who, bool) {
	kind, id, _ := strings.Cut(page, "-")
	role := Role(kind)
	if (role != Kiosk && role != Screen && role != Rater) || !ValidID(id) {
		return Who{}, false
	}
	return opens(role, id, page)
}

// approve lets in the device that shows a code, as the machine of a place. Wrong codes are counted in tries.
func (p *pairs) approve(code, place, by string, tries *rate.Limiter) (Device, problem.Code, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	one := p.waiting[code]
	switch _, machine := machineAt(place); {
	case !machine:
		return Device{}, PairPlace, nil
	case tries.Tokens() < 1:
		return Device{}, PairTries, nil
	case one == nil:
		tries.Allow()
		return Device{}, PairCode, nil
	case len(p.devices) >= maxPaired:
		return Device{}, PairFull, nil
	}
	now := time.Now()
	x := &paired{
		Device: Device{ID: rand.Text()[:10], Place: place, Since: now, Seen: now, From: one.from.Addr().String(), By: by},
		Digest: one.digest, kept: now,
	}
	next := maps.Clone(p.devices)
	next[x.Digest] = x
	if err := p.keep(next); err != nil {
		return Device{}, "", err
	}
	delete(p.waiting, code)
	p.devices = next
	return x.Device, "", nil
}

// stir has everybody who waits look again who he is.
func (p *pairs) stir() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake()
}

func (p *pairs) wake() {
	close(p.gone)
	p.gone = make(chan struct{})
}

// revoke ends what a device may. ok is false if there is none of that id.
func (p *pairs) revoke(id string) (gone Device, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.devices)
	maps.DeleteFunc(next, func(_ string, x *paired) bool {
		if x.ID == id {
			gone, ok = x.Device, true
		}
		return x.ID == id
	})
	if !ok {
		return gone, false, nil
	}
	if err := p.keep(next); err != nil {
		return gone, true, err
	}
	p.devices = next
	p.wake()
	return gone, true, nil
}

// list gives the devices, by place, and how many wait.
func (p *pairs) list() (devices []Device, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	devices = []Device{}
	for _, x := range p.devices {
		devices = append(devices, x.Device)
	}
	slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.Place+" "+a.ID, b.Place+" "+b.ID) })
	return devices, len(p.waiting)
}

// keep writes devices to the file, all or nothing. Nobody but the agent's user can read it.
func (p *pairs) keep(devices map[string]*paired) error {
	raw, err := json.Marshal(slices.SortedFunc(maps.Values(devices), func(a, b *paired) int { return strings.Compare(a.ID, b.ID) }))
	if err != nil {
		return err
	}
	return whole.Write(p.file, raw)
}
