package onbon

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

// hostFrame is a frame from the computer to screen 1, as every host vector is.
func hostFrame(t testing.TB, r Request) []byte {
	t.Helper()
	b, err := AppendFrame(nil, Frame{Dst: 1, Src: Host, CardType: AnyCard, Data: r.Data()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func updateFrame(t testing.TB, u Update) []byte {
	t.Helper()
	r, err := u.Request()
	if err != nil {
		t.Fatal(err)
	}
	return hostFrame(t, r)
}

// line is the area the text vectors show: 128 × 16 pixels at the origin.
func line(text string) Area {
	return Area{Width: 128, Height: 16, MultiLine: true, Wrap: true, Effect: Static, Stay: 10, Text: Text{S: text}}
}

func decodeOne(t testing.TB, b []byte) Frame {
	t.Helper()
	var d Decoder
	d.Push(b)
	f, ok := d.Next()
	if !ok {
		t.Fatalf("no frame in % X", b)
	}
	return f
}

func TestEveryHostVector(t *testing.T) {
	scroll := line("请到3号窗口办理")
	scroll.MultiLine, scroll.Wrap, scroll.Effect, scroll.Speed, scroll.Stay = false, false, Left, 4, 0
	want := map[string][]byte{
		"ping":                 hostFrame(t, Request{Command: CmdPing}),
		"clear":                hostFrame(t, Request{Command: CmdClear}),
		"reset":                hostFrame(t, Request{Command: CmdReset}),
		"force-on":             hostFrame(t, Request{Command: CmdPower, Params: []byte{PowerOn}}),
		"force-off":            hostFrame(t, Request{Command: CmdPower, Params: []byte{PowerOff}}),
		"dynamic-call":         updateFrame(t, Update{Areas: []Area{line("A001号请到3号窗口")}}),
		"dynamic-escape":       updateFrame(t, Update{Areas: []Area{line("哎唉")}}),
		"dynamic-escape-ascii": updateFrame(t, Update{Areas: []Area{line("Z[A]")}}),
		"dynamic-scroll":       updateFrame(t, Update{Areas: []Area{scroll}}),
		"delete-all-areas":     updateFrame(t, Update{DeleteAll: true}),
	}
	for _, v := range vectors.For(t, "onbon-k") {
		if v.Direction != "host>device" {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			if !bytes.Equal(want[v.Name], v.Bytes) {
				t.Fatalf("encoded % X\nwant    % X", want[v.Name], v.Bytes)
			}
			p := NewPanel(1)
			if answer, ok := p.Handle(decodeOne(t, v.Bytes)); !ok || Result(answer.Data[2]) != ResultOK {
				t.Fatalf("the panel answers % X, %v", answer.Data, ok)
			}
			if v.Text != "" && !reflect.DeepEqual(p.Lines(), []string{v.Text}) {
				t.Errorf("the panel shows %q, want %q", p.Lines(), v.Text)
			}
			if got := p.Lit(); got == (v.Name == "force-off") {
				t.Errorf("lit: %v", got)
			}
		})
	}
}

func TestEveryDeviceVector(t *testing.T) {
	want := map[string]Reply{
		"reply-ok":   {Command: 0xA000, Result: ResultOK, Extra: []byte{}},
		"reply-busy": {Command: 0xA001, Result: ResultBusy, Extra: []byte{}},
	}
	for _, v := range vectors.For(t, "onbon-k") {
		if v.Direction != "device>host" {
			continue
		}
		f := decodeOne(t, v.Bytes)
		r, err := ParseReply(f.Data)
		if err != nil || f.Dst != Host || f.Src != 1 || !reflect.DeepEqual(r, want[v.Name]) {
			t.Errorf("%s: %+v in %+v, %v", v.Name, r, f, err)
		}
		again, err := AppendFrame(nil, Frame{Dst: Host, Src: 1, CardType: AnyCard, Data: r.Data()})
		if err != nil || !bytes.Equal(again, v.Bytes) {
			t.Errorf("%s: encoded % X, want % X", v.Name, again, v.Bytes)
		}
	}
}

func TestFramesAreFoundInNoise(t *testing.T) {
	ping, clear := hostFrame(t, Request{Command: CmdPing}), hostFrame(t, Request{Command: CmdClear})
	bad := bytes.Clone(ping)
	bad[len(bad)-2] ^= 1
	for name, tc := range map[string]struct {
		in    [][]byte
		want  int
		clean bool // nothing is thrown away
	}{
		"two together":    {[][]byte{ping, clear}, 2, true},
		"noise before":    {[][]byte{{0, 0x5A, 0xA6, 1}, ping}, 1, false},
		"wrong CRC":       {[][]byte{bad, clear}, 1, false},
		"cut frame":       {[][]byte{ping[:20], clear}, 1, false},
		"bad escape":      {[][]byte{ping[:12], {0xA6, 3}, ping[12:], clear}, 1, false},
		"cut escape":      {[][]byte{ping[:12], {0x5B}, clear}, 1, false},
		"empty":           {[][]byte{{0xA5, 0x5A}, clear}, 1, true},
		"shorter heading": {[][]byte{ping[7:]}, 1, true},
		"endless frame":   {[][]byte{{0xA5}, make([]byte, 2*maxBody), clear}, 1, false},
	} {
		all := bytes.Join(tc.in, nil)
		for _, size := range []int{1, 2, 3, 7, len(all)} {
			var d Decoder
			got := 0
			for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				d.Push(rest[:min(size, len(rest))])
				for f, ok := d.Next(); ok; f, ok = d.Next() {
					if f.Dst != 1 || f.Src != Host {
						t.Errorf("%s: %+v", name, f)
					}
					got++
				}
			}
			if got != tc.want {
				t.Errorf("%s in pieces of %d: %d frames, want %d", name, size, got, tc.want)
			}
			if tc.clean != (d.Garbage() == 0) {
				t.Errorf("%s: %d bytes of garbage", name, d.Garbage())
			}
		}
	}
}

func TestHeaderVariants(t *testing.T) {
	body := func(change func(b []byte) []byte) (Frame, error) {
		b := make([]byte, headerLen)
		b[offsetDataLen] = 5
		b = change(append(b, Request{Command: CmdPing}.Data()...))
		return parseBody(append(b, 0xFF, 0xFF)) // the value cards take for unchecked
	}
	whole := func(b []byte) []byte { return b }
	if f, err := body(whole); err != nil || len(f.Data) != 5 {
		t.Errorf("unchecked: %+v, %v", f, err)
	}
	f, err := body(func(b []byte) []byte {
		b[offsetBarcode] = 1
		return bytes.Join([][]byte{b[:headerLen], bytes.Repeat([]byte{'x'}, barcodeLen), b[headerLen:]}, nil)
	})
	if err != nil || !bytes.Equal(f.Data, Request{Command: CmdPing}.Data()) {
		t.Errorf("with barcode: %+v, %v", f, err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"sum instead of CRC": func(b []byte) []byte { b[offsetCheck] = 1; return b },
		"barcode cut":        func(b []byte) []byte { b[offsetBarcode] = 1; return b },
		"length too large":   func(b []byte) []byte { b[offsetDataLen]++; return b },
		"length too small":   func(b []byte) []byte { b[offsetDataLen]--; return b },
	} {
		if f, err := body(change); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := AppendFrame(nil, Frame{Data: make([]byte, MaxData+1)}); err == nil {
		t.Error("data beyond the bound encoded")
	}
}

func TestTextIsGB2312(t *testing.T) {
	n := 0
	for r := rune(0x80); r <= 0x10FFFF; r++ {
		if b := (Text{S: string(r)}).encode(); len(b) == 2 {
			n++
		} else if string(b) != "?" {
			t.Fatalf("%U becomes % X", r, b)
		}
	}
	if n != 7445 {
		t.Errorf("%d characters, GB 2312 has 7445", n)
	}
	for in, want := range map[string]string{"A001号": "A001号", "镕": "?", "𠮷": "?", "a\tb\x00": "a b ", `\C1\n`: "＼C1＼n", "一\n二": "一\n二", "": ""} {
		if got := decodeText(Text{S: in}.encode()); got.S != want || got.Colour != DefaultColour {
			t.Errorf("%q arrives as %+v, want %q", in, got, want)
		}
	}
	if got := decodeText(Text{S: "红", Colour: Red}.encode()); got != (Text{S: "红", Colour: Red}) {
		t.Errorf("red text arrives as %+v", got)
	}
	if got := Cells("A001号"); got != 6 {
		t.Errorf("%d cells, want 6", got)
	}
}

func TestUpdatesThatCannotBe(t *testing.T) {
	off, far, long := line("x"), line("x"), line(strings.Repeat("长", MaxData/2))
	off.X, far.Y = 4, 0x8000
	for name, u := range map[string]Update{
		"off the grid": {Areas: []Area{off}}, "outside": {Areas: []Area{far}}, "long text": {Areas: []Area{long}},
		"too many ids": {Delete: make([]byte, MaxDelete+1)}, "too many areas": {Areas: make([]Area, 256)},
		"too much": {Areas: []Area{line(strings.Repeat("x", 3000)), line(strings.Repeat("x", 3000))}},
	} {
		if _, err := u.Request(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	a := line("x")
	good, err := Update{Delete: []byte{7}, Areas: []Area{a}}.Request()
	if err != nil {
		t.Fatal(err)
	}
	for n := range good.Params {
		if u, err := ParseUpdate(Request{Command: CmdUpdate, Params: good.Params[:n]}); err == nil {
			t.Errorf("cut to %d bytes: %+v", n, u)
		}
	}
	if _, err := ParseUpdate(Request{Command: CmdUpdate, Params: append(bytes.Clone(good.Params), 0)}); err == nil {
		t.Error("a byte too many accepted")
	}
	if _, err := ParseUpdate(Request{Command: CmdPing, Params: good.Params}); err == nil {
		t.Error("another command taken for an update")
	}
}

func TestPixelUnits(t *testing.T) {
	r, err := Update{Areas: []Area{line("x")}}.Request()
	if err != nil {
		t.Fatal(err)
	}
	r.Params[5], r.Params[6] = 0x0B, 0x80  // X: 11 pixels
	r.Params[9], r.Params[10] = 0x21, 0x80 // width: 33 pixels
	u, err := ParseUpdate(r)
	if err != nil || u.Areas[0].X != 11 || u.Areas[0].Width != 33 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestPanel(t *testing.T) {
	p := NewPanel(3)
	send := func(dst uint16, r Request) (Result, bool) {
		t.Helper()
		answer, ok := p.Handle(Frame{Dst: dst, Src: Host, Data: r.Data()})
		if !ok {
			return 0, false
		}
		reply, err := ParseReply(answer.Data)
		if err != nil || answer.Dst != Host || answer.Src != 3 {
			t.Fatalf("answer %+v, %v", answer, err)
		}
		return reply.Result, true
	}
	update := func(u Update) Request {
		r, err := u.Request()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	upper, lower := line("上"), line("下\n底")
	upper.ID, lower.ID, lower.Y = 5, 2, 16
	if _, ok := send(3, update(Update{Areas: []Area{lower, upper}})); !ok || !reflect.DeepEqual(p.Lines(), []string{"上", "下", "底"}) {
		t.Fatalf("shows %q", p.Lines())
	}
	if _, ok := send(4, Request{Command: CmdClear}); ok || len(p.Lines()) != 3 {
		t.Error("took another screen's frame for its own")
	}
	if _, ok := send(Broadcast, update(Update{Delete: []byte{5}})); ok || !reflect.DeepEqual(p.Lines(), []string{"下", "底"}) {
		t.Errorf("after a broadcast: answered %v, shows %q", ok, p.Lines())
	}
	if _, ok := send(3, Request{Command: CmdPower, Params: []byte{PowerOff}, Silent: true}); ok || p.Lines() != nil {
		t.Error("switching off silently: answered, or still lit")
	}
	for name, r := range map[string]Request{"unknown": {Command: 0xA9FF}, "bad power": {Command: CmdPower}, "bad update": {Command: CmdUpdate}} {
		if result, ok := send(3, r); !ok || result == ResultOK {
			t.Errorf("%s: %v", name, result)
		}
	}
	if _, ok := p.Handle(Frame{Dst: 3, Src: Host, Data: []byte{1}}); !ok {
		t.Error("a cut request gets no answer")
	}
	many := Update{}
	for id := range maxAreas + 1 {
		a := line("x")
		a.ID = byte(id)
		many.Areas = append(many.Areas, a)
	}
	if result, _ := send(3, update(many)); result != ResultMemory || len(p.Areas()) != maxAreas {
		t.Errorf("%v with %d areas", result, len(p.Areas()))
	}
}

func TestBrightness(t *testing.T) {
	b := Brightness{Now: 12}
	for i := range b.Day {
		b.Day[i] = byte(1 + i%MaxBrightness)
	}
	r, err := b.Request()
	if err != nil || len(r.Params) != 50 || r.Params[0] != 1 || r.Params[1] != 12 {
		t.Fatalf("%+v, %v", r, err)
	}
	p := NewPanel(1)
	if answer, _ := p.Handle(decodeOne(t, hostFrame(t, r))); Result(answer.Data[2]) != ResultOK || p.Brightness() != b {
		t.Errorf("the panel is set to %+v and says % X", p.Brightness(), answer.Data)
	}
	for name, bad := range map[string]Request{
		"cut": {Command: CmdBrightness, Params: r.Params[:49]}, "other mode": {Command: CmdBrightness, Params: append([]byte{2}, r.Params[1:]...)},
		"too bright": {Command: CmdBrightness, Params: append([]byte{1, 17}, r.Params[2:]...)}, "other command": {Command: CmdPing, Params: r.Params},
	} {
		if got, err := ParseBrightness(bad); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
		if answer, _ := p.Handle(Frame{Dst: 1, Src: Host, Data: bad.Data()}); bad.Command == CmdBrightness && Result(answer.Data[2]) == ResultOK {
			t.Errorf("%s: the panel takes it", name)
		}
	}
	b.Day[47] = 0
	if _, err := b.Request(); err == nil {
		t.Error("no brightness at all was encoded")
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	r, err := Update{Areas: []Area{line("A001号请到3号窗口")}}.Request()
	if err != nil {
		b.Fatal(err)
	}
	f := Frame{Dst: 1, Src: Host, CardType: AnyCard, Data: r.Data()}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = AppendFrame(buf[:0], f); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecoder(b *testing.B) {
	reply, err := AppendFrame(nil, Frame{Dst: Host, Src: 1, CardType: AnyCard, Data: Reply{Command: 0xA000}.Data()})
	if err != nil {
		b.Fatal(err)
	}
	var d Decoder
	b.SetBytes(int64(len(reply)))
	b.ReportAllocs()
	for b.Loop() {
		d.Push(reply)
		if _, ok := d.Next(); !ok {
			b.Fatal("no frame")
		}
	}
}

func TestResultNames(t *testing.T) {
	for r, want := range map[Result]string{ResultOK: "ok", ResultBusy: "busy", ResultNoFont: "no such font", 16: "wrong block number", 17: "error 17"} {
		if r.String() != want {
			t.Errorf("%d reads %q, want %q", byte(r), r, want)
		}
	}
	if _, err := ParseReply([]byte{0xA0, 0, 0, 0}); err == nil {
		t.Error("a cut reply was read")
	}
}

// FuzzDecoder feeds a stream in two pieces: nothing panics, every frame found encodes and decodes to itself, and a good frame
// behind the noise is found.
func FuzzDecoder(f *testing.F) {
	for _, v := range vectors.For(f, "onbon-k") {
		f.Add(v.Bytes, 9)
	}
	ping := hostFrame(f, Request{Command: CmdPing})
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = min(max(cut, 0), len(stream))
		var d Decoder
		panel := NewPanel(1)
		last := false
		for _, piece := range [][]byte{stream[:cut], stream[cut:], ping} {
			d.Push(piece)
			for fr, ok := d.Next(); ok; fr, ok = d.Next() {
				again, err := AppendFrame(nil, fr)
				if err != nil {
					t.Fatalf("a decoded frame does not encode: %v", err)
				}
				if got := decodeOne(t, again); !reflect.DeepEqual(got, fr) {
					t.Fatalf("%+v became %+v", fr, got)
				}
				panel.Handle(fr)
				last = bytes.Equal(again, ping)
			}
		}
		if !last {
			t.Fatal("the good frame at the end was not found")
		}
	})
}

// FuzzUpdate parses any parameters; an update that can be read and lies on the grid encodes to one that reads the same.
func FuzzUpdate(f *testing.F) {
	for _, v := range vectors.For(f, "onbon-k") {
		if r, err := ParseRequest(decodeOne(f, v.Bytes).Data); err == nil && r.Command == CmdUpdate {
			f.Add(r.Params)
		}
	}
	f.Fuzz(func(t *testing.T, params []byte) {
		u, err := ParseUpdate(Request{Command: CmdUpdate, Params: params})
		if err != nil {
			return
		}
		r, err := u.Request()
		if err != nil {
			return
		}
		again, err := ParseUpdate(r)
		if err != nil {
			t.Fatalf("an encoded update does not decode: %v", err)
		}
		r2, err := again.Request()
		if err != nil || !bytes.Equal(r.Params, r2.Params) {
			t.Fatalf("second round differs: %v\n% X\n% X", err, r.Params, r2.Params)
		}
	})
}
