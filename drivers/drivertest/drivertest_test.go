package drivertest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
)

// toy is the smallest honest scanner driver: a code is a line, and no code has a bell in it.
type toy struct {
	cfg     registry.Config
	session *session.Session
	scans   chan device.Scan
	unread  *session.Unread
}

func newToy(cfg registry.Config) (device.Device, error) {
	s := session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log})
	return &toy{cfg: cfg, session: s, scans: make(chan device.Scan), unread: s.NewUnread(device.CodeNoise)}, nil
}

func (d *toy) Health() device.Health        { return d.session.Health() }
func (d *toy) Scans() <-chan device.Scan    { return d.scans }
func (d *toy) Unread() <-chan device.Unread { return d.unread.C() }

func (d *toy) Run(ctx context.Context) error {
	defer close(d.scans)
	defer d.unread.Close()
	return d.session.Run(ctx, d.cfg.Open, func(ctx context.Context, conn transport.Conn) error {
		d.unread.Read()
		lines := bufio.NewReader(conn)
		for {
			line, err := lines.ReadString('\r')
			if err != nil {
				return err
			}
			switch {
			case line == "\r":
				continue
			case strings.Contains(line, "\a"):
				d.session.Garbage(len(line))
				d.unread.Failed(device.ScanUnreadable, "a bell")
				continue
			}
			d.unread.Read()
			d.session.Job()
			select {
			case d.scans <- device.Scan{Payload: device.NewSecret(line[:len(line)-1]), At: time.Now()}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

func (d *toy) SelfTest(ctx context.Context) error {
	return d.session.Do(ctx, "self-test", func(_ context.Context, conn transport.Conn) error {
		_, err := conn.Write([]byte{0})
		return err
	})
}

// gun is the hardware of a toy.
type gun struct {
	mu sync.Mutex
	w  io.Writer
}

func (g *gun) serve(rw io.ReadWriter) {
	g.mu.Lock()
	g.w = rw
	g.mu.Unlock()
	_, _ = io.Copy(io.Discard, rw)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.w = nil
}

func (g *gun) scan(t *testing.T, payload string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.w == nil {
		return false
	}
	if _, err := io.WriteString(g.w, "\r"+payload+"\r"); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	return true
}

func TestToyScannerPasses(t *testing.T) {
	for name, tcp := range map[string]bool{"serial": false, "tcp": true} {
		t.Run(name, func(t *testing.T) {
			drivertest.Scanner(t, func(t *testing.T) drivertest.ScannerHarness {
				g := new(gun)
				return drivertest.ScannerHarness{
					Harness: drivertest.Harness{New: newToy, TCP: tcp, Far: g.serve},
					Scan:    func(payload string) bool { return g.scan(t, payload) },
					Spoil:   func(payload string) bool { return g.scan(t, payload+"\a") },
				}
			})
		})
	}
}
