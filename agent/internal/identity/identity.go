// Package identity gives who this box is: its keys, the certificates that the centre issued to it, whom of the centre it believes, and the
// connections that are made with them.
//
// The keys are made at the first start, so that the hall's log is sealed and signed from its first entry; certificates come with enrolment.
// A box that is not enrolled works alone. What is enrolled is one file, which changes as a whole or not at all.
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/private"
	"halledge/firmware-protocols/hallsync"
)

// Directory is the name of the identity's directory below the agent's data.
const Directory = "identity"

// Options of Open.
type Options struct {
	Hall        hallsync.HallID
	Hosts       func() []string  // names and addresses of the hall's own pages now; nil: no certificate is asked for them
	HTTPS       string           // where the centre answers boxes, https:// or tlcp://; empty: where it said itself
	Credentials string           // directory of the service manager's credentials ($CREDENTIALS_DIRECTORY); empty: none
	Provider    gm.Provider      // of the box's own keys; nil: this program keeps them
	Now         func() time.Time // what the hall knows of the time; nil: the machine's clock
	Log         *slog.Logger
}

// Identity is who the box is. It is safe for concurrent use.
type Identity struct {
	o   Options
	dir directory
	own ownKeys

	readOnly bool

	mu            sync.Mutex
	damaged       []string // what could not be read
	now           *papers  // nil: not enrolled
	before        bool     // the papers before them are still there
	floor         time.Time
	floorKept     time.Time       // what of it is on the disk
	revoked       map[string]bool // by serial number; nil: no list yet
	revokedNumber int64
	pending       bool          // a code waits for the centre
	waiting       bool          // for an operator's approval
	failed        error         // of the last question
	changed       chan struct{} // closed when other papers come into force
	behind        bool          // the centre signs with a key that the papers do not name
	moved         moved
	live          map[*conn]struct{}
}

// Open gives the identity whose files lie in a directory, and makes what is missing: the directory and the box's own keys. It fails with
// *Fault when others could read or change a file, and never makes a new key in the place of one that is there and good.
func Open(dir string, o Options) (*Identity, error) { return open(dir, o, true) }

// OpenReadOnly gives the identity and changes nothing: for commands beside the agent. It fails with *Fault, CodeMissing when there is none.
func OpenReadOnly(dir string, o Options) (*Identity, error) { return open(dir, o, false) }

func open(dir string, o Options, mend bool) (i *Identity, err error) {
	if o.Provider == nil {
		o.Provider = gm.Software{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Hosts == nil {
		o.Hosts = func() []string { return nil }
	}
	i = &Identity{o: o, changed: make(chan struct{}), live: map[*conn]struct{}{}}
	i.dir, i.readOnly = directory{filepath.Clean(dir)}, !mend
	if err := i.openKeys(mend); err != nil {
		return nil, err
	}
	if err := i.load(mend); err != nil {
		return nil, err
	}
	i.loadFloor()
	i.loadRevoked()
	return i, nil
}

// Look tells how a box stands with the centre from the files alone, for who looks at it beside the agent, and perhaps because that does not start:
// it needs no key and changes nothing. owner is the number of the account that the agent runs as. It fails with *Fault, CodeUnsafe, CodeDamaged
// or CodeMissing.
func Look(dir string, owner int, now time.Time) (Status, error) {
	err := private.Check(dir, owner)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{}, &Fault{Code: CodeMissing, Path: dir}
	}
	if err != nil {
		return Status{}, faultOf(err)
	}
	i := &Identity{o: Options{Now: func() time.Time { return now }}}
	path := filepath.Join(dir, filePapers)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Lstat(filepath.Join(dir, fileProvision))
		i.pending = err == nil
		return i.Status(), nil
	case err != nil:
		return Status{}, fmt.Errorf("look at identity: %w", err)
	}
	p := &papers{}
	if err = json.Unmarshal(data, &p.record); err == nil {
		err = p.life()
	}
	if err != nil {
		return Status{}, &Fault{Code: CodeDamaged, Path: path, Err: wrong("no certificates")}
	}
	i.now = p
	if kept, err := os.ReadFile(filepath.Join(dir, fileTime)); err == nil { // or else the clock is all there is
		i.takeFloor(kept)
	}
	return i.Status(), nil
}

// life finds the time in which all certificates are good.
func (p *papers) life() error {
	leaf, err := x509.ParseCertificate(p.Enrolled.TLS)
	if err != nil {
		return err
	}
	p.from, p.until = leaf.NotBefore, leaf.NotAfter
	for _, der := range [][]byte{p.Enrolled.Sign, p.Enrolled.Encrypt} {
		c, err := cert.Parse(der)
		if err != nil {
			return err
		}
		from, until := c.Valid()
		if from.After(p.from) {
			p.from = from
		}
		if until.Before(p.until) {
			p.until = until
		}
	}
	return nil
}

// Storage gives the key that the day keys of the log, and what else the box keeps for itself, are wrapped for.
func (i *Identity) Storage() gm.PrivateKey { return i.own.storage }

// Signer gives the key that signs the box's checkpoints and requests.
func (i *Identity) Signer() gm.PrivateKey { return i.own.sign }

// Enrolled reports whether the box has certificates of the centre, however old.
func (i *Identity) Enrolled() bool { return i.papers() != nil }

// Centre gives the keys that facts are wrapped for so that the centre can open them; none when the box is not enrolled.
func (i *Identity) Centre() []gm.PublicKey {
	if p := i.papers(); p != nil {
		return p.centre
	}
	return nil
}

// Receipts gives the keys that the centre's receipts and orders are signed with; none when the box is not enrolled.
func (i *Identity) Receipts() []gm.PublicKey {
	if p := i.papers(); p != nil {
		return p.receipts
	}
	return nil
}

// Damaged lists the files that could not be read, under the names they were given when they were put aside.
func (i *Identity) Damaged() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.damaged)
}

func (i *Identity) damage(path string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !slices.Contains(i.damaged, path) {
		i.damaged = append(i.damaged, path)
	}
}

func (i *Identity) papers() *papers {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

// Web gives the certificate of the hall's own pages; ok is false while there is none.
func (i *Identity) Web() (c tls.Certificate, ok bool) {
	p := i.papers()
	if p == nil || p.web == nil {
		return tls.Certificate{}, false
	}
	return *p.web, true
}

// Roots gives the centre's TLS roots, in DER; none when the box is not enrolled.
func (i *Identity) Roots() [][]byte {
	if p := i.papers(); p != nil {
		return p.Enrolled.Roots.TLS
	}
	return nil
}

// Index gives the keys of the hall's index of people, the one to use first; none when the centre gave none.
func (i *Identity) Index() []IndexKey {
	if p := i.papers(); p != nil {
		return p.index
	}
	return nil
}

// Addresses gives where the centre said that it is reached; empty ones leave the box its own.
func (i *Identity) Addresses() hallsync.CentreAddresses {
	if p := i.papers(); p != nil && p.Enrolled.Addresses != nil {
		return *p.Enrolled.Addresses
	}
	return hallsync.CentreAddresses{}
}
