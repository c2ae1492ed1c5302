package xfs5152

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

func frame(t testing.TB, f Frame) []byte {
	t.Helper()
	b, err := AppendFrame(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func spoken(t testing.TB, s Speech) Frame {
	t.Helper()
	f, err := s.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryVector(t *testing.T) {
	speeches := map[string]Speech{
		"speak-gbk-published": {Encoding: GBK, Text: "我在"},
		"speak-gb2312":        {Tags: []Tag{Volume(8), Speed(5)}, Text: "请A001号到3号窗口"},
		"speak-unicode-le":    {Encoding: Unicode, Text: "三号窗口"},
	}
	commands := map[string]Command{"stop": CmdStop, "pause": CmdPause, "resume": CmdResume, "query": CmdQuery, "sleep": CmdSleep, "wake": CmdWake}
	for _, v := range vectors.For(t, "xfs5152") {
		t.Run(v.Name, func(t *testing.T) {
			speech, says := speeches[v.Name]
			want := Frame{Command: commands[v.Name]}
			if says {
				want = spoken(t, speech)
			}
			if got := frame(t, want); !bytes.Equal(got, v.Bytes) {
				t.Fatalf("encoded % X\nwant    % X", got, v.Bytes)
			}
			var d Decoder
			d.Push(v.Bytes)
			f, ok := d.Next()
			if !ok || !bytes.Equal(frame(t, f), v.Bytes) {
				t.Fatalf("decoded %+v, %v", f, ok)
			}
			switch s, err := ParseSpeech(f); {
			case !says && err == nil:
				t.Errorf("a command says %q", s.Text)
			case says && (err != nil || !reflect.DeepEqual(s, speech)):
				t.Errorf("says %+v, want %+v, %v", s, speech, err)
			}
		})
	}
}

func TestFramesAreFoundInNoise(t *testing.T) {
	stop, query := frame(t, Frame{Command: CmdStop}), frame(t, Frame{Command: CmdQuery})
	for name, c := range map[string]struct {
		in   [][]byte
		want []Command
	}{
		"two together":    {[][]byte{stop, query}, []Command{CmdStop, CmdQuery}},
		"noise before":    {[][]byte{{0, 0xFD, 0xFF, 1, 0xFD}, stop}, []Command{CmdStop}},
		"unknown command": {[][]byte{{0xFD, 0, 1, 0x55}, query}, []Command{CmdQuery}},
		"long command":    {[][]byte{{0xFD, 0, 2, 2, 0}, query}, []Command{CmdQuery}},
	} {
		all := bytes.Join(c.in, nil)
		for size := 1; size <= len(all); size++ {
			var d Decoder
			var got []Command
			for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				d.Push(rest[:min(size, len(rest))])
				for f, ok := d.Next(); ok; f, ok = d.Next() {
					got = append(got, f.Command)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s in pieces of %d: %v, want %v", name, size, got, c.want)
			}
		}
	}
}

func TestLongTextsBecomeSeveralFrames(t *testing.T) {
	long := Speech{Encoding: GBK, Tags: []Tag{Volume(5)}, Text: strings.Repeat("请A零零一号到三号窗口办理，", 100)}
	if _, err := long.Frame(); !errors.Is(err, ErrLong) {
		t.Errorf("got %v, want ErrLong", err)
	}
	said := ""
	for _, s := range long.Split() {
		back, err := ParseSpeech(spoken(t, s))
		if err != nil || !strings.HasSuffix(back.Text, "，") || len(frame(t, spoken(t, s))) > head+maxData {
			t.Errorf("a part says %q, %v", back.Text, err)
		}
		said += back.Text
	}
	if said != long.Text {
		t.Errorf("said %q", said)
	}
}

func TestTextsCannotSmuggleTagsIn(t *testing.T) {
	if f := spoken(t, Speech{Encoding: GBK, Text: "[v0]3号窗口"}); bytes.ContainsAny(f.Data, "[]") {
		t.Errorf("% X", f.Data)
	}
	for name, bad := range map[string]Frame{"big5": {Command: CmdSpeak, Data: []byte{2, 'A'}}, "empty": {Command: CmdSpeak, Data: []byte{0}}} {
		if s, err := ParseSpeech(bad); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, v := range vectors.For(f, "xfs5152") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Decoder
		d.Push(b)
		used := 0
		for m, ok := d.Next(); ok; m, ok = d.Next() {
			again, err := AppendFrame(nil, m)
			if err != nil || !bytes.Contains(b, again) {
				t.Fatalf("% X gave % X, %v", b, again, err)
			}
			used += len(again)
			if s, err := ParseSpeech(m); err == nil {
				s.Tags = nil // others than ours may be in it, and would not fit with what they take
				for _, part := range s.Split() {
					if _, err := part.Frame(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if uint64(used)+d.Garbage() > uint64(len(b)) {
			t.Fatalf("%d bytes became %d of frames and %d of garbage", len(b), used, d.Garbage())
		}
	})
}

// BenchmarkCall makes the frame of a call.
func BenchmarkCall(b *testing.B) {
	s := Speech{Encoding: GBK, Tags: []Tag{Volume(8)}, Text: "请 A 0 2 3 号到 12 号窗口"}
	b.ReportAllocs()
	for b.Loop() {
		f, err := s.Frame()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := AppendFrame(nil, f); err != nil {
			b.Fatal(err)
		}
	}
}
