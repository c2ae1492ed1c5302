// Package vault gives the centre's SM2 keys: those that open what halls seal for the centre, and those that sign its receipts and orders.
//
// Each is a file with what its provider knows the key by. A rotation adds a key; the ones before it stay, since what was wrapped for them
// and signed with them is still there.
package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/private"
	"halledge/firmware-protocols/hallsync"
)

// Code is why the keys cannot be used, for the sentence that people read. All sentences take path.
type Code string

// The codes.
const (
	CodeUnsafe  Code = "vault_unsafe"  // others could read or change it
	CodeDamaged Code = "vault_damaged" // no key, or not one that the provider knows
	CodeMissing Code = "vault_missing" // there are no keys, and there should be
	CodeLost    Code = "vault_lost"    // the database knows keys that are not there
)

// Fault is something that cannot be done with the keys, and why.
type Fault struct {
	Code Code
	Path string
	Err  error // may be nil
}

func (f *Fault) Error() string {
	text := "vault: " + string(f.Code) + ": " + f.Path
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

func (f *Fault) Unwrap() error { return f.Err }

// ErrNoKey is something that was wrapped for none of the centre's keys.
var ErrNoKey = errors.New("vault: not for a key of the centre")

// Options say where the keys are.
type Options struct {
	Directory string
	// Make makes the first keys when there are none: the service does, under its own account.
	Make     bool
	Known    []string    // IDs of the keys that the database has seen: nothing takes their place in silence
	Provider gm.Provider // nil: gm.Software
}

// Public are the other halves of the keys, the one in force first.
type Public struct {
	Open []gm.PublicKey // halves of those that open
	Sign []gm.PublicKey // halves of those that sign
}

// Vault holds the keys. It is safe for concurrent use.
type Vault struct {
	open, sign []gm.PrivateKey // the one in force first
	byID       map[string]gm.PrivateKey
}

// The files are named after what their keys do and the order in which they were made.
const (
	opens = "open"
	signs = "sign"
	tail  = ".key"
)

// Open reads the keys, and makes the first ones if it may. It fails with *Fault.
func Open(o Options) (*Vault, error) { return use(o, false) }

// Rotate adds a key of each kind, which is in force from the next Open on. Halls learn of it when they renew their certificates.
func Rotate(o Options) (*Vault, error) { return use(o, true) }

func use(o Options, add bool) (v *Vault, err error) {
	if o.Provider == nil {
		o.Provider = gm.Software{}
	}
	o.Make = o.Make && len(o.Known) == 0
	d, err := private.Open(o.Directory, o.Make)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, o.absent(o.Directory)
	}
	if err != nil {
		return nil, faultOf(err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	v = &Vault{byID: map[string]gm.PrivateKey{}}
	if v.open, err = keys(d, o, opens, add); err != nil {
		return nil, err
	}
	if v.sign, err = keys(d, o, signs, add); err != nil {
		return nil, err
	}
	for _, k := range v.open {
		v.byID[k.Public().ID()] = k
	}
	there := v.IDs()
	if slices.ContainsFunc(o.Known, func(id string) bool { return !slices.Contains(there, id) }) {
		return nil, o.absent(o.Directory)
	}
	return v, nil
}

// absent is the fault of keys that are not there.
func (o Options) absent(path string) error {
	if len(o.Known) > 0 {
		return &Fault{Code: CodeLost, Path: path}
	}
	return &Fault{Code: CodeMissing, Path: path}
}

// keys opens the keys of one kind, the newest first.
func keys(d *private.Directory, o Options, kind string, add bool) ([]gm.PrivateKey, error) {
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	var list []gm.PrivateKey
	last := 0
	for n := range len(names) + 1 { // files of one kind bear the numbers from 1 on
		k, err := key(d, o.Provider, fileOf(kind, n+1))
		if err != nil {
			return nil, err
		}
		if k.IsZero() {
			break
		}
		last, list = n+1, append([]gm.PrivateKey{k}, list...)
	}
	for _, name := range names { // one that is missing in between
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, kind+"-"), tail))
		if err == nil && fileOf(kind, n) == name && n > last {
			return nil, o.absent(d.Path(fileOf(kind, last+1)))
		}
	}
	// Those that open are made first: they never are made for those that sign.
	if len(list) == 0 && (!o.Make || kind == opens && len(names) > 0) {
		return nil, o.absent(d.Path(fileOf(kind, 1)))
	}
	if len(list) > 0 && !add {
		return list, nil
	}
	k, reference, err := gm.GenerateKeyIn(o.Provider)
	if err == nil {
		err = d.Write(fileOf(kind, last+1), []byte(reference))
	}
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return append([]gm.PrivateKey{k}, list...), nil
}

func fileOf(kind string, n int) string { return kind + "-" + strconv.Itoa(n) + tail }

// key opens one key; the zero key if there is no file.
func key(d *private.Directory, p gm.Provider, name string) (gm.PrivateKey, error) {
	reference, err := d.Read(name)
	if err != nil || reference == nil {
		return gm.PrivateKey{}, faultOf(err)
	}
	k, err := gm.OpenKey(p, string(reference))
	if errors.Is(err, gm.ErrInvalid) {
		return k, &Fault{Code: CodeDamaged, Path: d.Path(name), Err: err}
	}
	if err != nil {
		return k, fmt.Errorf("open key %s: %w", d.Path(name), err)
	}
	return k, nil
}

func faultOf(err error) error {
	var unsafe *private.UnsafeError
	var damaged *private.DamagedError
	switch {
	case errors.As(err, &unsafe):
		return &Fault{Code: CodeUnsafe, Path: unsafe.Path, Err: unsafe.Err}
	case errors.As(err, &damaged):
		return &Fault{Code: CodeDamaged, Path: damaged.Path, Err: damaged.Err}
	}
	return err
}

// Keys gives what halls have to know, to seal for the centre and to believe it.
func (v *Vault) Keys() Public {
	var p Public
	for _, k := range v.open {
		p.Open = append(p.Open, k.Public())
	}
	for _, k := range v.sign {
		p.Sign = append(p.Sign, k.Public())
	}
	return p
}

// IDs gives the names of all keys, for Options.Known of a later opening.
func (v *Vault) IDs() []string {
	var ids []string
	for _, k := range append(v.Keys().Open, v.Keys().Sign...) {
		ids = append(ids, k.ID())
	}
	return ids
}

// DataKey opens a data key. It fails with ErrNoKey when it was wrapped for none of the centre's keys, with gm.ErrOpen when one of the wraps
// for them cannot be opened, and with *gm.KeyError when a key cannot be used now.
func (v *Vault) DataKey(wraps []hallsync.KeyWrap) (gm.DataKey, error) {
	return open(v, wraps, gm.PrivateKey.UnwrapDataKey)
}

// ChainKey opens the first key of a chain. It fails as DataKey does.
func (v *Vault) ChainKey(wraps []hallsync.KeyWrap) (chain.Key, error) {
	return open(v, wraps, chain.UnwrapKey)
}

// Secret opens what Wrap has wrapped. It fails as DataKey does.
func (v *Vault) Secret(wraps []hallsync.KeyWrap) ([]byte, error) {
	return open(v, wraps, gm.PrivateKey.Unwrap)
}

func open[K any](v *Vault, wraps []hallsync.KeyWrap, unwrap func(gm.PrivateKey, []byte) (K, error)) (K, error) {
	var none K
	err := ErrNoKey
	for _, w := range wraps {
		holder, ours := v.byID[w.For]
		if !ours {
			continue
		}
		var k K
		if k, err = unwrap(holder, w.Wrapped); err == nil {
			return k, nil
		}
	}
	return none, err
}

// Ours gives the wraps that are for the centre's keys.
func (v *Vault) Ours(wraps []hallsync.KeyWrap) []hallsync.KeyWrap {
	var ours []hallsync.KeyWrap
	for _, w := range wraps {
		if _, known := v.byID[w.For]; known {
			ours = append(ours, w)
		}
	}
	return ours
}

// Current reports whether one of the wraps is for the opening key in force.
func (v *Vault) Current(wraps []hallsync.KeyWrap) bool {
	id := v.open[0].Public().ID()
	for _, w := range wraps {
		if w.For == id {
			return true
		}
	}
	return false
}

// Wrap wraps a key for the opening key in force: by the key's own method, such as gm.DataKey.Wrap.
func (v *Vault) Wrap(wrap func(gm.PublicKey) ([]byte, error)) ([]hallsync.KeyWrap, error) {
	to := v.open[0].Public()
	b, err := wrap(to)
	if err != nil {
		return nil, fmt.Errorf("wrap key: %w", err)
	}
	return []hallsync.KeyWrap{{For: to.ID(), Wrapped: b}}, nil
}

// Sign signs a message with the signing key in force.
func (v *Vault) Sign(message []byte) ([]byte, error) { return v.sign[0].Sign(message) }

// For gives the newest signing key of those that somebody knows, by their IDs, and the one in force when that is none.
func (v *Vault) For(known ...string) hallsync.MessageSigner {
	for _, k := range v.sign {
		if slices.Contains(known, k.Public().ID()) {
			return k
		}
	}
	return v.sign[0]
}

// Receive signs a receipt for a place in a hall's chain.
func (v *Vault) Receive(p chain.Point, at time.Time) (chain.Receipt, error) {
	return chain.Receive(p, at, v.sign[0])
}

// Checkpoint signs a place in a chain of the centre's own.
func (v *Vault) Checkpoint(c chain.Checkpoint) (chain.Checkpoint, error) { return c.Sign(v.sign[0]) }
