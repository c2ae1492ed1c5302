package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"halledge/test/demo"
)

// smallDisk mounts a small disk of its own at dir until the test ends.
func smallDisk(t *testing.T, dir string, size string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small disk needs root: run make test as root")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// fill takes all the space that is left.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
}

func TestFullDiskRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	smallDisk(t, filepath.Join(dir, "agent"), "16m")
	d := demo.StartIn(t, dir)
	answered := map[string]string{} // id → number of every ticket that was given
	for range 20 {
		tk := d.Take(t, "A")
		answered[tk.ID] = tk.Number
	}
	hog := filepath.Join(dir, "agent", "hog")
	fill(t, hog)
	// The file has free pages of its own, so some more tickets may still fit.
	var last demo.Answer
	for range 5000 {
		a, err := d.Do(d.Agent.URL, d.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/tickets", map[string]any{"queue": "A", "channel": "kiosk"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if last = a; a.Status != http.StatusCreated {
			break
		}
		var got struct{ Ticket demo.Ticket }
		a.Into(t, &got)
		answered[got.Ticket.ID] = got.Ticket.Number
	}
	var p problem
	last.Into(t, &p)
	if last.Status != http.StatusServiceUnavailable || p.Code != "storage_full" || !chinese(p.Detail) {
		t.Fatalf("the full disk was answered with %d %s", last.Status, last.Body)
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	demo.Until(t, demo.Patience, "a ticket after the disk has room again", func() error {
		a, err := d.Do(d.Agent.URL, d.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/tickets", map[string]any{"queue": "A", "channel": "kiosk"}, nil)
		if err != nil || a.Status != http.StatusCreated {
			return fmt.Errorf("%d %s %v", a.Status, a.Body, err)
		}
		var got struct{ Ticket demo.Ticket }
		a.Into(t, &got)
		answered[got.Ticket.ID] = got.Ticket.Number
		return nil
	})
	for id, number := range answered {
		var got struct{ Ticket demo.Ticket }
		d.Get(t, "staff", "/api/v1/tickets/"+id).Into(t, &got)
		if got.Ticket.Number != number {
			t.Errorf("ticket %s was %s and is %s", id, number, got.Ticket.Number)
		}
	}
	if h := d.Hall(t); h.Queues[0].Waiting != len(answered) {
		t.Errorf("%d people wait, %d tickets were given", h.Queues[0].Waiting, len(answered))
	}
	inCloud(t, d)
}
