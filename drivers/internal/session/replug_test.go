package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/transport"
)

// adapter is a USB serial adapter with a device on a pseudo-terminal behind it, in a sysfs and a /dev of our own.
type adapter struct {
	t    testing.TB
	root string
	line *farend.PTY
}

const socket = "usb:1a86:7523@1-1.2"

func newAdapter(t testing.TB, far farend.Serve) *adapter {
	a := &adapter{t: t, root: t.TempDir()}
	a.must(os.MkdirAll(filepath.Join(a.root, "dev"), 0o755))
	a.line = farend.NewPTY(filepath.Join(t.TempDir(), "tty"), far)
	return a
}

func (a *adapter) must(errs ...error) {
	a.t.Helper()
	if err := errors.Join(errs...); err != nil {
		a.t.Fatal(err)
	}
}

// plug puts the adapter in as the kernel does: sysfs first, then the node; each time under another name.
func (a *adapter) plug(name string) {
	a.t.Helper()
	a.must(a.line.Plug())
	terminal, err := os.Readlink(a.line.Path())
	a.must(err)
	usb := filepath.Join(a.root, "sys/devices/usb1/1-1/1-1.2")
	entry := filepath.Join(usb, "1-1.2:1.0/tty", name)
	class := filepath.Join(a.root, "sys/class/tty")
	a.must(os.MkdirAll(entry, 0o755), os.MkdirAll(class, 0o755))
	for path, text := range map[string]string{
		usb + "/idVendor": "1a86", usb + "/idProduct": "7523", entry + "/uevent": "DEVNAME=" + strings.TrimPrefix(terminal, "/dev/"),
	} {
		a.must(os.WriteFile(path, []byte(text+"\n"), 0o644))
	}
	a.must(os.Symlink(filepath.Join(usb, "1-1.2:1.0"), entry+"/device"), os.Symlink(entry, filepath.Join(class, name)))
	a.must(os.WriteFile(filepath.Join(a.root, "dev", name), nil, 0o600))
}

func (a *adapter) unplug() {
	a.t.Helper()
	a.must(a.line.Unplug(), os.RemoveAll(filepath.Join(a.root, "sys")), os.RemoveAll(filepath.Join(a.root, "dev")))
	a.must(os.Mkdir(filepath.Join(a.root, "dev"), 0o755))
}

// echo is a device that gives back what it gets.
func echo(rw io.ReadWriter) { _, _ = io.Copy(rw, rw) } // ends when the cable is pulled

// session asks the device behind the adapter all the time.
func (a *adapter) session() (s *Session, stop func() error) {
	s = New(Config{Name: "kiosk-1.scanner", Node: socket, Root: a.root, Log: slog.New(slog.DiscardHandler)})
	open := func(ctx context.Context) (transport.Conn, error) {
		return transport.Open(ctx, transport.Spec{Serial: socket, Root: a.root})
	}
	return s, start(s, open, func(ctx context.Context, _ transport.Conn) error {
		return s.Every(ctx, 100*time.Millisecond, "ask", func(_ context.Context, c transport.Conn) error {
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
			if _, err := c.Write([]byte("?")); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				return err
			}
			s.Good()
			return nil
		})
	})
}

func reaches(t testing.TB, s *Session, want device.State) {
	t.Helper()
	for deadline := time.Now().Add(patience); s.Health().State != want; {
		if time.Now().After(deadline) {
			t.Fatalf("never %s: %+v", want, s.Health())
		}
		<-time.After(time.Millisecond)
	}
}

// After many failures the pause is ten seconds: only the watch can end it within the test's patience.
func TestDeviceWorksAgainSoonAfterItWasPluggedIn(t *testing.T) {
	a := newAdapter(t, echo)
	s, stop := a.session()
	for life, name := range []string{"ttyUSB0", "ttyUSB3", "ttyUSB1"} {
		a.plug(name)
		reaches(t, s, device.OK)
		if opens := s.Health().Counters.Opens; opens != uint64(life+1) {
			t.Errorf("life %d: opened %d times", life, opens)
		}
		a.unplug()
		reaches(t, s, device.Offline)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// BenchmarkReplug measures from the moment at which the kernel has made a node until the device behind it answers.
func BenchmarkReplug(b *testing.B) {
	a := newAdapter(b, echo)
	s, stop := a.session()
	for b.Loop() {
		b.StopTimer()
		reaches(b, s, device.Offline)
		b.StartTimer()
		a.plug("ttyUSB0")
		reaches(b, s, device.OK)
		b.StopTimer()
		a.unplug()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/replug")
	if err := stop(); !errors.Is(err, context.Canceled) {
		b.Error(err)
	}
}

// A device that speaks nonsense for an hour, and now and then works, writes no more than a line a minute.
func TestNonsenseFillsNoLog(t *testing.T) {
	for name, good := range map[string]int{"always": 0, "every second time": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := New(Config{Name: "window-1.pad", Log: slog.New(slog.NewTextHandler(&log, nil))})
				lives := 0
				open := func(context.Context) (transport.Conn, error) {
					near, _ := newPipe()
					return near, nil
				}
				stop := start(s, open, func(context.Context, transport.Conn) error {
					lives++
					if good > 0 && lives%good == 0 {
						s.Good()
					}
					time.Sleep(time.Second)
					return fmt.Errorf("question %d: %w", lives, &device.Error{Op: "read", Code: device.CodeBadReply, Retry: true})
				})
				time.Sleep(time.Hour)
				if h := s.Health(); h.State != device.Offline || h.Code != device.CodeBadReply || h.Counters.Failures < 300 {
					t.Errorf("%+v", h)
				}
				if err := stop(); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				lines := strings.Count(log.String(), "\n")
				if lines == 0 || lines > 60+atOnce {
					t.Errorf("%d lines in an hour and %d lives:\n%s", lines, lives, log.String())
				}
				if good > 0 && !strings.Contains(log.String(), "repeated=") {
					t.Error("nobody is told how often")
				}
			})
		})
	}
}

// What a device became last is in the log, although it went to and fro too often for a line each time.
func TestTheLastChangeIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := New(Config{Name: "window-1.pad", Log: slog.New(slog.NewTextHandler(&log, nil))})
		open := func(context.Context) (transport.Conn, error) {
			near, _ := newPipe()
			return near, nil
		}
		stop := start(s, open, func(ctx context.Context, _ transport.Conn) error {
			for range 10 {
				s.Degraded(device.CodeCoverOpen, "")
				s.Good()
			}
			<-ctx.Done()
			return ctx.Err()
		})
		time.Sleep(2 * time.Minute)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if last := lines[len(lines)-1]; len(lines) != atOnce+1 || !strings.Contains(last, "device ok") || !strings.Contains(last, "repeated=16") {
			t.Errorf("%d lines, the last %q", len(lines), last)
		}
	})
}
