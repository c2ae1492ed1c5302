package main

import (
	"bufio"
	"bytes"
	"debug/elf"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed init.sh
var initScript []byte

// programs of this machine that the guest runs, with the libraries they need.
func programs() []string {
	return []string{"/usr/bin/busybox", "/usr/bin/udevadm", "/usr/lib/udev/v4l_id", "/usr/sbin/modprobe", "/usr/bin/aplay"}
}

// links are names in the guest that lead elsewhere.
func links() map[string]string {
	return map[string]string{
		"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
		"usr/lib/systemd/systemd-udevd": "/usr/bin/udevadm", "usr/bin/arecord": "aplay",
	}
}

// modules of the kernel: the devices that a test makes, and the drivers that find them.
func modules() []string {
	return []string{
		"uinput", "evdev", "uhid", "hid-generic", "usbhid",
		"dummy_hcd", "libcomposite", "usb_f_acm", "usb_f_hid", "usb_f_printer", "usb_f_fs", "cdc-acm", "usblp",
		"vivid", "snd-aloop",
	}
}

// source is where the parts of an image come from.
type source struct {
	kernel string // folder into which a linux-image package was unpacked
	tests  string // static test program
	run    string // which of its tests
	rules  string // our udev rules
}

// build puts the guest's files together.
func (s source) build(release string) (image, error) {
	m := image{}
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp", "root", "usr/sbin", "usr/lib64"} {
		m.put(dir, node{mode: folder | 0o755})
	}
	m.put("dev/console", node{mode: character | 0o600, major: 5, minor: 1})
	m.put("init", node{mode: plain | 0o755, data: initScript})
	m.put("etc/passwd", node{mode: plain | 0o644, data: []byte("root:x:0:0::/root:/bin/sh\n")})
	m.put("etc/group", node{mode: plain | 0o644, data: groups()})
	for name, to := range links() {
		m.put(name, node{mode: link | 0o777, data: []byte(to)})
	}
	if err := m.file(s.tests, "root/guest.test"); err != nil {
		return nil, err
	}
	for _, p := range programs() {
		if err := m.program(p); err != nil {
			return nil, err
		}
	}
	for _, path := range []string{"/usr/lib/udev/rules.d", "/usr/share/alsa/alsa.conf", "/usr/share/alsa/cards", "/usr/share/alsa/pcm"} {
		if err := m.tree(path, path[1:]); err != nil {
			return nil, err
		}
	}
	if err := m.tree(s.rules, "etc/udev/rules.d"); err != nil {
		return nil, err
	}
	return m, m.modules(s.kernel, release)
}

// groups are those of Debian that udev gives nodes to.
func groups() []byte {
	var b bytes.Buffer
	for i, name := range []string{"root", "tty", "dialout", "kmem", "input", "video", "render", "audio", "lp", "disk", "cdrom", "tape",
		"kvm", "sgx", "plugdev"} {
		fmt.Fprintf(&b, "%s:x:%d:\n", name, i)
	}
	return b.Bytes()
}

func (m image) file(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	m.put(to, node{mode: plain | int(st.Mode().Perm()), data: data})
	return nil
}

func (m image) tree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return m.file(path, to+strings.TrimPrefix(path, from))
	})
}

// program adds a program or library of this machine and, by and by, the libraries that it names.
func (m image) program(path string) error {
	name := merged(path)
	if _, there := m[name]; there {
		return nil
	}
	if err := m.file(path, name); err != nil {
		return err
	}
	f, err := elf.NewFile(bytes.NewReader(m[name].data))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		loader := make([]byte, p.Filesz)
		if _, err := p.ReadAt(loader, 0); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := m.program(strings.TrimRight(string(loader), "\x00")); err != nil {
			return err
		}
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	dirs, _ := f.DynString(elf.DT_RUNPATH) // most have none
	for _, lib := range needed {
		found, err := library(lib, dirs)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := m.program(found); err != nil {
			return err
		}
	}
	return nil
}

// merged gives a path of this machine as the guest has it, where /bin, /sbin and /lib lead into /usr.
func merged(path string) string {
	name := strings.TrimPrefix(path, "/")
	if !strings.HasPrefix(name, "usr/") {
		name = "usr/" + name
	}
	return name
}

func library(name string, dirs []string) (string, error) {
	for _, dir := range append(dirs, "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib") {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// modules adds the kernel's modules that are wanted, what they need, and depmod's tables.
func (m image) modules(kernel, release string) error {
	dir := filepath.Join(kernel, "lib/modules", release)
	needs, err := dependencies(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return err
	}
	var missing []error
	for _, name := range modules() {
		files, there := needs[plainName(name)]
		if !there {
			missing = append(missing, fmt.Errorf("the kernel %s has no module %s", release, name))
		}
		for _, file := range files {
			if err := m.file(filepath.Join(dir, file), "usr/lib/modules/"+release+"/"+file); err != nil {
				return err
			}
		}
	}
	tables, err := filepath.Glob(filepath.Join(dir, "modules.*"))
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := m.file(t, "usr/lib/modules/"+release+"/"+filepath.Base(t)); err != nil {
			return err
		}
	}
	return errors.Join(missing...)
}

// dependencies reads modules.dep: for each module its own file and those that it needs.
func dependencies(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	needs := map[string][]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		own, others, _ := strings.Cut(lines.Text(), ":")
		name, _, _ := strings.Cut(filepath.Base(own), ".ko")
		needs[plainName(name)] = append([]string{own}, strings.Fields(others)...)
	}
	return needs, lines.Err()
}

// plainName is a module's name as the kernel has it.
func plainName(name string) string { return strings.ReplaceAll(name, "-", "_") }
