package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"halledge/test/demo"
)

// TestHotKeys presses keys while another program has the focus: the window calls, and a key that another program has is named.
func TestHotKeys(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Verb(t, "1", "open", nil)
	first, second := d.Take(t, "A"), d.Take(t, "A")
	display := screen(t)
	other := editor(t, display)
	said := callerOf(t, d, display)
	said.sees(t, "Ctrl+Shift+F3（重呼）被别的程序占用")
	said.sees(t, "1 号窗口的快捷键可以用了")
	xdotool(t, display, "key", "ctrl+shift+F2")
	called(t, d, first.Number)
	said.sees(t, "请 "+first.Number+" 号到 1 号窗口")
	xdotool(t, display, "key", "Num_Lock") // which nobody thinks of
	xdotool(t, display, "key", "ctrl+shift+F5")
	said.sees(t, "办结："+first.Number+" 号")
	xdotool(t, display, "key", "ctrl+shift+F2")
	called(t, d, second.Number)
	other.keeps(t)
}

func number(k *demo.Ticket) string {
	if k == nil {
		return ""
	}
	return k.Number
}

func called(t *testing.T, d *demo.Demo, want string) {
	t.Helper()
	demo.Until(t, demo.Patience, "the call of "+want, func() error {
		if got := number(d.Hall(t).Windows[0].Ticket); got != want {
			return fmt.Errorf("window 1 has %q", got)
		}
		return nil
	})
}

// screen starts an X server without a screen and gives its display.
func screen(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "640x480x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, x) })
	_ = w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	_ = r.Close()
	if err != nil {
		t.Fatalf("Xvfb gives no display: %v", err)
	}
	return ":" + strings.TrimSpace(line)
}

// end stops a program that the test started.
func end(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("%s: %v", cmd.Path, err)
	}
	_ = cmd.Wait() // X servers end with the signal
}

// program is another program on a display: it has the focus, and Ctrl+Shift+F3.
type program struct {
	conn   *xgb.Conn
	window xproto.Window
}

func editor(t *testing.T, display string) *program {
	t.Helper()
	conn, err := xgb.NewConnDisplay(display)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	root := xproto.Setup(conn).DefaultScreen(conn)
	p := &program{conn: conn}
	if p.window, err = xproto.NewWindowId(conn); err != nil {
		t.Fatal(err)
	}
	must := func(cookie interface{ Check() error }) {
		t.Helper()
		if err := cookie.Check(); err != nil {
			t.Fatal(err)
		}
	}
	must(xproto.CreateWindowChecked(conn, root.RootDepth, p.window, root.Root, 0, 0, 200, 100, 0, xproto.WindowClassInputOutput, root.RootVisual, 0, nil))
	must(xproto.MapWindowChecked(conn, p.window))
	demo.Until(t, demo.Patience, "the focus", func() error { // a window is there a moment after it was asked for
		return xproto.SetInputFocusChecked(conn, xproto.InputFocusParent, p.window, xproto.TimeCurrentTime).Check()
	})
	f3 := xproto.Keycode(69) // of every PC keyboard (evdev's KEY_F3 and 8)
	must(xproto.GrabKeyChecked(conn, false, root.Root, xproto.ModMaskControl|xproto.ModMaskShift, f3, xproto.GrabModeAsync, xproto.GrabModeAsync))
	return p
}

// keeps fails if the program lost the focus.
func (p *program) keeps(t *testing.T) {
	t.Helper()
	got, err := xproto.GetInputFocus(p.conn).Reply()
	if err != nil || got.Focus != p.window {
		t.Errorf("the focus is at %v, %v", got, err)
	}
}

func xdotool(t *testing.T, display string, args ...string) {
	t.Helper()
	cmd := exec.Command("xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("xdotool %v: %v\n%s", args, err, out)
	}
}

// spoken is what a program says on its terminal.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *spoken) sees(t *testing.T, want string) {
	t.Helper()
	demo.Until(t, demo.Patience, want, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !strings.Contains(s.text.String(), want) {
			return fmt.Errorf("it says:\n%s", s.text.String())
		}
		return nil
	})
}

// callerOf builds and runs the helper for window 1 with a token.
func callerOf(t *testing.T, d *demo.Demo, display string) *spoken {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "hall-caller")
	build := exec.Command("go", "build", "-o", bin, "halledge/agent/cmd/hall-caller")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := fmt.Sprintf("schema: 1\nagent: %s\nwindow: \"1\"\ntoken: file:token\n", d.Agent.URL)
	for name, content := range map[string]string{"hall-caller.yaml": config, "token": d.Agent.Tokens["staff"]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := &spoken{}
	cmd := exec.Command(bin, "run", "--config", filepath.Join(dir, "hall-caller.yaml"))
	cmd.Env, cmd.Stderr, cmd.Stdout = append(os.Environ(), "DISPLAY="+display), out, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("hall-caller ended with %v", err)
		}
	})
	return out
}

// TestHotKeysForWindows builds the helper for the clerks' PCs, without a C compiler.
func TestHotKeysForWindows(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "hall-caller.exe")
	build := exec.Command("go", "build", "-o", bin, "halledge/agent/cmd/hall-caller")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	head := make([]byte, 2)
	f, err := os.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.ReadFull(f, head); err != nil || string(head) != "MZ" {
		t.Errorf("it begins with %q, %v", head, err)
	}
}
