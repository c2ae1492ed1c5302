// Package segment gives a stretch of network of its own: a switch of the kernel, the machine of the hall at it, and machines that tests plug
// in and pull out, each with its own card. It needs root, and the program ip.
package segment

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside is the variable of the environment of a test that runs in a network of its own.
const inside = "HALLEDGE_SEGMENT"

// Hall is the address of the hall's machine, and Prefix that of all that are plugged in.
const (
	Hall   = "192.168.77.1"
	Prefix = "192.168.77.0/24"
)

// Inside runs the calling test again, alone, in a network of its own, and fails when it fails there. It reports whether this is that run.
func Inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		IP(t, "link", "set", "lo", "up")
		IP(t, "link", "add", "switch", "type", "bridge")
		IP(t, "address", "add", Hall+"/24", "dev", "switch")
		IP(t, "link", "set", "switch", "up")
		return true
	}
	if os.Geteuid() != 0 {
		t.Fatal("a network of its own needs root: run make test as root")
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	again.Env = append(os.Environ(), inside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a network of its own: %v\n%s", err, out)
	}
	return false
}

// Machine is one that is plugged in.
type Machine struct {
	t    *testing.T
	do   chan func()
	gone chan struct{}
	port string
}

// Plug plugs a machine in with a card and an address, such as 192.168.77.64. What the hall's machine knew of that address it asks anew, as
// after some minutes.
func Plug(t *testing.T, port, mac, address string) *Machine {
	t.Helper()
	m := &Machine{t: t, do: make(chan func()), gone: make(chan struct{}), port: port}
	there := make(chan error)
	go m.live(there)
	if err := <-there; err != nil {
		t.Fatal(err)
	}
	thread := 0
	m.Do(func() { thread = unix.Gettid() })
	IP(t, "link", "add", port, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", fmt.Sprint(thread))
	IP(t, "link", "set", port, "master", "switch", "up")
	m.Do(func() {
		IP(t, "link", "set", "lo", "up")
		IP(t, "address", "add", address+"/24", "dev", "eth0")
		IP(t, "link", "set", "eth0", "up")
	})
	IP(t, "neighbour", "flush", "dev", "switch")
	return m
}

// live is the machine: a thread in a network of its own, which ends with it.
func (m *Machine) live(there chan<- error) {
	runtime.LockOSThread() // and never unlocked: nobody else is to have this thread
	defer close(m.gone)
	err := unix.Unshare(unix.CLONE_NEWNET)
	there <- err
	if err != nil {
		return
	}
	for f := range m.do {
		f()
	}
}

// Do opens listeners and runs programs on the machine.
func (m *Machine) Do(f func()) {
	done := make(chan struct{})
	m.do <- func() { f(); close(done) }
	<-done
}

// Pull pulls the machine out.
func (m *Machine) Pull() {
	m.t.Helper()
	IP(m.t, "link", "delete", m.port)
	close(m.do)
	<-m.gone
}

// IP runs ip on the machine that calls.
func IP(t *testing.T, words ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", words...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", strings.Join(words, " "), err, out)
	}
}
