package command_test

import (
	"io"
	"strings"
	"testing"

	"github.com/creack/pty"

	"halledge/agent/kit/command"
)

func TestReadSecret(t *testing.T) {
	for in, want := range map[string]string{
		"123456\n": "123456", "1234": "1234", "1234\r\n5678\n": "1234", "": "", "\n": "", " 12 \n": " 12 ", strings.Repeat("1", 99) + "\n": "1111111111",
	} {
		got, err := command.ReadSecret(strings.NewReader(in), io.Discard, "PIN: ", 8)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	broken, w := io.Pipe()
	_ = w.CloseWithError(io.ErrUnexpectedEOF)
	if _, err := command.ReadSecret(broken, io.Discard, "", 8); err == nil {
		t.Error("a read that fails is taken for a secret")
	}
}

// What is typed at a terminal is asked for and does not appear on it.
func TestASecretIsNotShown(t *testing.T) {
	master, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	asked, prompt := io.Pipe()
	type answer struct {
		secret string
		err    error
	}
	read := make(chan answer, 1)
	go func() {
		secret, err := command.ReadSecret(terminal, prompt, "PIN: ", 64)
		read <- answer{secret, err}
	}()
	buf := make([]byte, 64)
	if n, err := asked.Read(buf); err != nil || string(buf[:n]) != "PIN: " { // the echo is off by now
		t.Fatalf("%q, %v", buf[:n], err)
	}
	go func() { _, _ = io.Copy(io.Discard, asked) }()
	if _, err := io.WriteString(master, "271828\n"); err != nil {
		t.Fatal(err)
	}
	got := <-read
	if got.err != nil || got.secret != "271828" {
		t.Fatalf("%+v", got)
	}
	if _, err := io.WriteString(terminal, "end"); err != nil {
		t.Fatal(err)
	}
	if n, err := io.ReadAtLeast(master, buf, len("end")); err != nil || strings.Contains(string(buf[:n]), "271828") {
		t.Errorf("the terminal shows %q, %v", buf[:n], err)
	}
	_ = terminal.Close()
}
