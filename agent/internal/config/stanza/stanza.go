// Package stanza gives the entry of one device in agent.yaml: as text for somebody to read, and put into the file with all else, the
// comments too, left as it was.
package stanza

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"halledge/agent/internal/config"
	"halledge/agent/kit/strictyaml"
	"halledge/agent/kit/whole"
)

// ErrTaken means that an entry cannot be added because another one stands in its way.
var ErrTaken = errors.New("there is a device of this name or at this place already")

// Of writes the entry of d, indented as in the sample.
func Of(d config.Device) string { return "  " + strings.Join(entry(d), "\n  ") + "\n" }

func entry(d config.Device) []string {
	return []string{"- name: " + d.Name, "  model: " + d.Model, "  connect: {" + place(d.Connect) + "}"}
}

func place(c config.Connect) string {
	var parts []string
	for _, p := range []struct{ key, value string }{{"serial", c.Serial}, {"tcp", c.TCP}, {"file", c.File}, {"usb", c.USB}} {
		if p.value != "" {
			parts = append(parts, p.key+": "+strconv.Quote(p.value))
		}
	}
	if c.Baud != 0 {
		parts = append(parts, "baud: "+strconv.Itoa(c.Baud))
	}
	return strings.Join(parts, ", ")
}

// Added gives agent.yaml with d as the last of its devices. It fails with strictyaml.ErrForm, and with ErrTaken.
func Added(text []byte, d config.Device) ([]byte, error) {
	before, err := siteOf(text)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(before.Devices, func(o config.Device) bool { return o.Name == d.Name || o.Connect == d.Connect }) {
		return nil, ErrTaken
	}
	next, err := strictyaml.AddItem(string(text), "devices", entry(d))
	if err != nil {
		return nil, err
	}
	// Whatever the file looks like: one that says anything else than before and d is not written.
	before.Devices = append(before.Devices, d)
	if after, err := siteOf([]byte(next)); err != nil || !reflect.DeepEqual(after, before) {
		return nil, strictyaml.ErrForm
	}
	return []byte(next), nil
}

// siteOf reads what a file says, and nothing else.
func siteOf(text []byte) (config.Site, error) {
	var site config.Site
	doc := strictyaml.Decode("agent.yaml", text, &site)
	return site, doc.Problems.Err()
}

// Backup is what the old file is kept as, beside the new one.
const Backup = ".bak"

// errChanged means that somebody else wrote the file meanwhile.
var errChanged = errors.New("somebody else changes the file again and again")

// maxTries is how often a file that is changed meanwhile is read anew.
const maxTries = 3

// Add puts d into the file at path, or gives the problems that the whole configuration would have with it, and leaves the file alone.
// The new file has the owner and the rights of the old one, is there whole or not at all, and the old one stays as path + Backup. Where
// path is a link, what it leads to is replaced. Of several programs that add at once each waits for the one before; a change that an
// editor saves meanwhile stays.
func Add(path string, d config.Device) (problems strictyaml.Problems, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("add a device: %w", err)
		}
	}()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Dir(real))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for range maxTries {
		text, err := os.ReadFile(real)
		if err != nil {
			return nil, err
		}
		next, err := Added(text, d)
		if err != nil {
			return nil, err
		}
		if problems, err := try(path, next); err != nil || problems != nil {
			return problems, err
		}
		if err := replace(real, text, next, path+Backup); !errors.Is(err, errChanged) {
			return nil, err
		}
	}
	return nil, errChanged
}

// lock holds a folder's lock until unlock; the file itself is another one after each change.
func lock(dir string) (unlock func() error, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
		}
	}
}

// try gives the problems that the configuration would have if the file at path were text.
func try(path string, text []byte) (strictyaml.Problems, error) {
	tried := path + ".new" // beside the old one: what is relative leads to the same files
	if err := write(tried, text, path); err != nil {
		return nil, err
	}
	defer os.Remove(tried)
	_, problems := config.Load(tried)
	if problems.Err() == nil {
		return nil, nil
	}
	for i := range problems {
		if filepath.Base(problems[i].File) == filepath.Base(tried) {
			problems[i].File = path // as it would be
		}
	}
	return problems, nil
}

// replace puts next in the place of a file and keeps what it was. It fails with errChanged when that is not old any more.
func replace(path string, old, next []byte, backup string) error {
	fresh := path + ".new"
	defer os.Remove(fresh) // gone already when it took the file's place
	if err := errors.Join(write(backup, old, path), write(fresh, next, path)); err != nil {
		return err
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, old) { // the last look before the rename
		return errors.Join(errChanged, err)
	}
	return errors.Join(os.Rename(fresh, path), whole.Sync(filepath.Dir(path)))
}

// write makes a file with the owner and the rights of another one.
func write(path string, text []byte, like string) (err error) {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := f.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Sync()
}
