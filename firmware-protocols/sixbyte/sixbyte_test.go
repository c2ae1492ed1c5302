package sixbyte

import (
	"bytes"
	"slices"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

func number(t testing.TB, to, from byte, c Command, n int) Frame {
	t.Helper()
	f, err := Number(to, from, c, n)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryVector(t *testing.T) {
	want := map[string]Frame{
		"next": Plain(1, 3, Next), "recall": {To: 1, From: 3, Command: Recall}, "login": Plain(1, 3, Login), "logout": Plain(1, 3, Logout),
		"login-ok": Plain(3, 1, LoggedIn), "show-0012": number(t, 3, 1, ShowNumber, 12),
	}
	seen := 0
	for _, v := range vectors.For(t, "callpad-6byte") {
		f, known := want[v.Name]
		if got := f.Append(nil); !known || !bytes.Equal(got, v.Bytes) {
			t.Errorf("%s: % X, want % X", v.Name, got, v.Bytes)
		}
		d := NewDecoder(1, Next, Recall, Login, Logout)
		if v.Direction == "host>device" {
			d = NewDecoder(3, ShowNumber, LoggedIn, LoggedOut, ShowWaiting)
		}
		d.Push(v.Bytes)
		if got, ok := d.Next(); !ok || got != f || d.Garbage() != 0 {
			t.Errorf("%s: decoded %+v, %v", v.Name, got, ok)
		}
		seen++
	}
	if seen != len(want) {
		t.Errorf("%d vectors, want %d", seen, len(want))
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []int{0, 7, 12, 99, 100, 1234, 9999} {
		if got, ok := number(t, 3, 1, ShowNumber, n).Value(); !ok || got != n {
			t.Errorf("%d became %d, %v", n, got, ok)
		}
	}
	for _, n := range []int{-1, 10000} {
		if f, err := Number(3, 1, ShowNumber, n); err == nil {
			t.Errorf("%d became %+v", n, f)
		}
	}
	if n, ok := Plain(3, 1, LoggedIn).Value(); !ok || n != 7373 { // the filler is BCD too
		t.Errorf("%d, %v", n, ok)
	}
	if n, ok := (Frame{High: 0x1A}).Value(); ok {
		t.Errorf("no BCD is %d", n)
	}
}

func TestFrameIsFoundInNoise(t *testing.T) {
	d := NewDecoder(1, Next, Recall)
	var line []byte
	line = append(line, 1, 3, 0)
	line = Plain(1, 3, Next).Append(line)
	line = Plain(1, 3, Login).Append(line) // not asked for
	line = Plain(3, 1, LoggedIn).Append(line)
	line = append(line, 0xFF, 1)
	line = Plain(1, 9, Recall).Append(line)
	var got []Frame
	for _, b := range line {
		d.Push([]byte{b})
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			got = append(got, f)
		}
	}
	if want := []Frame{Plain(1, 3, Next), Plain(1, 9, Recall)}; !slices.Equal(got, want) || d.Garbage() != uint64(len(line)-12) {
		t.Errorf("got %+v with %d bytes of noise", got, d.Garbage())
	}
}

func TestPad(t *testing.T) {
	p := NewPad(3, 1)
	if got := p.Press(Login); !bytes.Equal(got, Plain(1, 3, Login).Append(nil)) {
		t.Errorf("says % X", got)
	}
	var line []byte
	line = Plain(3, 1, LoggedIn).Append(line)
	line = number(t, 3, 1, ShowNumber, 12).Append(line)
	line = number(t, 3, 1, ShowWaiting, 5).Append(line)
	line = number(t, 4, 1, ShowNumber, 99).Append(line)
	p.Hear(line)
	if n, waiting, in := p.Shows(); n != 12 || waiting != 5 || !in {
		t.Errorf("shows %d, %d, %v", n, waiting, in)
	}
	p.Hear(Plain(3, 1, LoggedOut).Append(nil))
	if _, _, in := p.Shows(); in {
		t.Error("still logged in")
	}
}

// FuzzDecoder feeds a line with anything: what is found was sent, and a pad hears it without failing.
func FuzzDecoder(f *testing.F) {
	for _, v := range vectors.For(f, "callpad-6byte") {
		f.Add(v.Bytes, v.Bytes[0])
	}
	f.Fuzz(func(t *testing.T, line []byte, to byte) {
		NewPad(to, 1).Hear(line)
		d := NewDecoder(to, Next, Recall, Login, Logout)
		d.Push(line)
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			if !bytes.Contains(line, f.Append(nil)) || f.To != to {
				t.Fatalf("%+v was never sent", f)
			}
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	raw := Plain(1, 3, Recall).Append(nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	d := NewDecoder(1, Next, Recall, Login, Logout)
	for b.Loop() {
		d.Push(raw)
		if f, ok := d.Next(); !ok || f.Command != Recall {
			b.Fatal("no frame")
		}
	}
}
