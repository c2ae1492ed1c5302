package huidu

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

const session = "00000000-0000-0000-0000-000000000000"

func bytesOf(t testing.TB, packets ...Packet) (out []byte) {
	t.Helper()
	for _, p := range packets {
		var err error
		if out, err = p.Append(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func order(t testing.TB, xml []byte) []Packet {
	t.Helper()
	packets, err := Split(CmdOrder, xml)
	if err != nil {
		t.Fatal(err)
	}
	return packets
}

// call is the program of the vector.
func call() Program {
	return Program{Areas: []Area{{
		Width: 128, Height: 32, Text: "A001号请到3号窗口", Font: "SimSun", Size: 16, Colour: 0xFF0000, Speed: 4, Stay: 30,
	}}}
}

func programOrder(t testing.TB, p Program) []byte {
	t.Helper()
	xml, err := p.Order(session)
	if err != nil {
		t.Fatal(err)
	}
	return xml
}

func TestEveryVector(t *testing.T) {
	want := map[string][]byte{
		"version-ask":      bytesOf(t, AskVersion()),
		"version-answer":   bytesOf(t, AnswerVersion(0)),
		"heartbeat":        bytesOf(t, Packet{Command: CmdHeartbeat}),
		"heartbeat-answer": bytesOf(t, Packet{Command: CmdHeartbeatAnswer}),
		"error-answer":     bytesOf(t, Fault(7).Packet()),
		"get-if-version":   bytesOf(t, order(t, VersionOrder())...),
		"add-program-text": bytesOf(t, order(t, programOrder(t, call()))...),
		"udp-search":       Search(),
	}
	for _, v := range vectors.For(t, "huidu") {
		if !bytes.Equal(want[v.Name], v.Bytes) {
			t.Errorf("%s: % X\nwant % X", v.Name, want[v.Name], v.Bytes)
		}
		if v.Name == "udp-search" {
			continue
		}
		var d Decoder
		d.Push(v.Bytes)
		p, ok := d.Next()
		if again := bytesOf(t, p); !ok || !bytes.Equal(again, v.Bytes) || d.Garbage() > 0 {
			t.Errorf("%s: read as %+v, %v", v.Name, p, ok)
		}
	}
}

func TestAnswersOfTheCard(t *testing.T) {
	version, status, err := ParseVersionAnswer(AnswerVersion(3))
	if err != nil || version != Version || status != 3 {
		t.Errorf("%X, %d, %v", version, status, err)
	}
	if f, err := ParseFault(Fault(7).Packet()); err != nil || f != 7 || !strings.Contains(f.Error(), "7") {
		t.Errorf("%v, %v", f, err)
	}
	answer := append(append(bytes.Clone(Search()[:4]), 0x02, 0x10), "C16-D00-A000F\x00\x00\x01\x02\x03\x04"...)
	if id, err := ParseSearchAnswer(answer); err != nil || id != "C16-D00-A000F" {
		t.Errorf("%q, %v", id, err)
	}
	for name, failed := range map[string]error{
		"version of another": func() error { _, _, err := ParseVersionAnswer(AskVersion()); return err }(),
		"cut fault":          func() error { _, err := ParseFault(Packet{Command: CmdError, Payload: []byte{1}}); return err }(),
		"cut search":         func() error { _, err := ParseSearchAnswer(answer[:20]); return err }(),
		"search itself":      func() error { _, err := ParseSearchAnswer(append(Search(), answer...)); return err }(),
		"id of no letters": func() error {
			_, err := ParseSearchAnswer(append(answer[:6:6], bytes.Repeat([]byte{9}, 19)...))
			return err
		}(),
	} {
		if failed == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestLongOrdersTravelInParts(t *testing.T) {
	long := Program{}
	for range 20 {
		a := call().Areas[0]
		a.Text = strings.Repeat("请到窗口", 100)
		long.Areas = append(long.Areas, a)
	}
	xml := programOrder(t, long)
	packets := order(t, xml)
	if len(packets) < 3 {
		t.Fatalf("%d packets for %d bytes", len(packets), len(xml))
	}
	c := NewCard(session)
	c.open = true
	var answers []Packet
	for _, p := range packets {
		answers = append(answers, c.Handle(p)...)
	}
	if len(answers) != 1 || len(c.Lines()) != 20 {
		t.Fatalf("%d answers, %d lines", len(answers), len(c.Lines()))
	}
	var j Joiner
	whole, done, err := j.Add(answers[0])
	if a, bad := ParseAnswer(whole); err != nil || !done || bad != nil || a != (Answer{session, MethodProgram, ResultSuccess}) {
		t.Errorf("%+v, %v, %v", a, err, bad)
	}
}

func TestPartsThatDoNotFit(t *testing.T) {
	part := func(total, at uint32, n int) Packet {
		p := Packet{Command: CmdOrder, Payload: make([]byte, orderHeadLen+n)}
		for i := range 4 {
			p.Payload[i], p.Payload[4+i] = byte(total>>(8*i)), byte(at>>(8*i))
		}
		return p
	}
	for name, parts := range map[string][]Packet{
		"cut head":      {{Command: CmdOrder, Payload: make([]byte, 7)}},
		"gap":           {part(100, 0, 10), part(100, 20, 10)},
		"other total":   {part(100, 0, 10), part(90, 10, 10)},
		"too much":      {part(10, 0, 11)},
		"far too much":  {part(0xFFFFFFFF, 0, 10)},
		"from nowhere":  {part(100, 50, 10)},
		"nothing in it": {part(100, 0, 10), part(100, 10, 0)},
	} {
		var j Joiner
		var failed error
		for _, p := range parts {
			if _, whole, err := j.Add(p); whole {
				t.Errorf("%s: a whole", name)
			} else if err != nil {
				failed = err
			}
		}
		if failed == nil {
			t.Errorf("%s: taken", name)
		}
		if _, whole, err := j.Add(part(5, 0, 5)); !whole || err != nil {
			t.Errorf("%s: the next order is lost: %v", name, err)
		}
	}
	if _, err := Split(CmdOrder, make([]byte, MaxXML+1)); err == nil {
		t.Error("an order beyond the bound was cut into packets")
	}
	if _, err := (Packet{Payload: make([]byte, MaxPacket)}).Append(nil); err == nil {
		t.Error("a packet beyond the bound was encoded")
	}
}

func TestTextCannotLeaveItsPlace(t *testing.T) {
	for _, text := range []string{`</string><x a="1">&amp;]]>`, "a\x00\n\tb", "'\"<>&", "请\xff到", "\u0085x", strings.Repeat("<", 500)} {
		p := call()
		p.Areas[0].Text, p.Areas[0].Font = text, `Sim"Sun`
		o, err := ParseOrder(programOrder(t, p))
		if err != nil || len(o.Program.Areas) != 1 || o.Program.Areas[0].Font != `Sim"Sun` {
			t.Fatalf("%q: %+v, %v", text, o, err)
		}
		if got := o.Program.Areas[0].Text; len([]rune(got)) != len([]rune(text)) || strings.ContainsAny(got, "\x00\n\t\u0085") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if a, err := ParseAnswer((Answer{Session: `"><x`, Method: "<&", Result: "'"}).XML()); err != nil || a != (Answer{`"><x`, "<&", "'"}) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestBadXML(t *testing.T) {
	for _, s := range []string{
		"", "<sdk", "<sdk></sdk>", `<sdk guid="1"><out method="a"/></sdk>`, `<other guid="1"><out method="a" result="b"/></other>`,
		`<sdk><out method="a" result="b"/><out method="a" result="c"/></sdk>`, strings.Repeat(" ", MaxXML+1),
	} {
		if a, err := ParseAnswer([]byte(s)); err == nil {
			t.Errorf("answer %.40q: %+v", s, a)
		}
	}
	area := `<area><resources><text><font color="#ff0000"/></text></resources></area>`
	for _, s := range []string{
		"<sdk></sdk>", `<sdk><in method="AddProgram"><screen><program>` + strings.Repeat(area, maxAreas+1) + `</program></screen></in></sdk>`,
		`<sdk><in method="AddProgram"><screen><program>` + strings.Replace(area, "#ff", "", 1) + `</program></screen></in></sdk>`,
	} {
		if o, err := ParseOrder([]byte(s)); err == nil {
			t.Errorf("order %.40q: %+v", s, o)
		}
	}
	for _, s := range []string{"", NoSession, `a"b`, strings.Repeat("a", 65)} {
		if b, err := call().Order(s); err == nil {
			t.Errorf("session %q: %s", s, b)
		}
	}
	for name, p := range map[string]Program{
		"areas": {Areas: make([]Area, maxAreas+1)}, "bytes": {Areas: []Area{{Text: strings.Repeat("长", MaxXML/3)}}},
	} {
		if b, err := p.Order(session); err == nil {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
}

func TestCard(t *testing.T) {
	c := NewCard("s1")
	send := func(xml []byte) Answer {
		t.Helper()
		var answers []Packet
		for _, p := range order(t, xml) {
			answers = append(answers, c.Handle(p)...)
		}
		if len(answers) != 1 {
			t.Fatalf("%d answers", len(answers))
		}
		var j Joiner
		whole, _, err := j.Add(answers[0])
		if err != nil {
			t.Fatal(err)
		}
		a, err := ParseAnswer(whole)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	show := func(session string) string {
		xml, err := call().Order(session)
		if err != nil {
			t.Fatal(err)
		}
		return send(xml).Result
	}
	if r := show("s1"); r != ResultSession {
		t.Errorf("before a session: %s", r)
	}
	if a := send(VersionOrder()); a.Session != "s1" || a.Result != ResultSuccess {
		t.Errorf("%+v", a)
	}
	if r := show("s1"); r != ResultSuccess || !reflect.DeepEqual(c.Lines(), []string{"A001号请到3号窗口"}) || !reflect.DeepEqual(c.Program(), call()) {
		t.Errorf("%s, %q", r, c.Lines())
	}
	c.Renew("s2")
	if r := show("s1"); r != ResultSession {
		t.Errorf("after its end: %s", r)
	}
	for name, xml := range map[string]string{"no XML": "x", "other method": `<sdk guid="s2"><in method="Dance"/></sdk>`} {
		send(VersionOrder())
		if a := send([]byte(xml)); a.Result != ResultIndex {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if out := c.Handle(Packet{Command: CmdHeartbeat}); len(out) != 1 || out[0].Command != CmdHeartbeatAnswer {
		t.Errorf("heartbeat: %+v", out)
	}
	if out := c.Handle(Packet{Command: CmdOrder}); len(out) != 1 || out[0].Command != CmdError {
		t.Errorf("cut order: %+v", out)
	}
	if out := c.Handle(Packet{Command: CmdOrderAnswer}); out != nil {
		t.Errorf("an answer: %+v", out)
	}
}

func TestDecoder(t *testing.T) {
	all := bytesOf(t, append(order(t, programOrder(t, call())), AskVersion(), Packet{Command: CmdHeartbeat})...)
	for _, size := range []int{1, 3, 100, len(all)} {
		var d Decoder
		n := 0
		for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			d.Push(rest[:min(size, len(rest))])
			for _, ok := d.Next(); ok; _, ok = d.Next() {
				n++
			}
		}
		if n != 3 || d.Garbage() != 0 {
			t.Errorf("in pieces of %d: %d packets, %d bytes of garbage", size, n, d.Garbage())
		}
	}
	for name, noise := range map[string][]byte{"length 3": {3, 0, 0x5F, 0}, "too long": {0xFF, 0xFF, 0x5F, 0}, "no command": {8, 0, 1, 1}, "much": make([]byte, 3*MaxPacket)} {
		var d Decoder
		d.Push(noise)
		if p, ok := d.Next(); ok || d.Garbage() != uint64(len(noise)) {
			t.Errorf("%s: %+v, %v, %d bytes of garbage", name, p, ok, d.Garbage())
		}
		d.Push(bytesOf(t, Packet{Command: CmdHeartbeat}))
		if _, ok := d.Next(); !ok {
			t.Errorf("%s: the next packet is lost", name)
		}
	}
}

// FuzzDecoder: no stream makes decoder, joiner, card or parser panic, and every packet encodes to itself.
func FuzzDecoder(f *testing.F) {
	for _, v := range vectors.For(f, "huidu") {
		f.Add(v.Bytes, 5)
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = min(max(cut, 0), len(stream))
		var d Decoder
		c := NewCard(session)
		c.open = true
		for _, piece := range [][]byte{stream[:cut], stream[cut:]} {
			d.Push(piece)
			for p, ok := d.Next(); ok; p, ok = d.Next() {
				var again Decoder
				again.Push(bytesOf(t, p))
				if got, ok := again.Next(); !ok || got.Command != p.Command || !bytes.Equal(got.Payload, p.Payload) {
					t.Fatalf("%+v became %+v", p, got)
				}
				for _, a := range c.Handle(p) {
					bytesOf(t, a)
				}
			}
		}
		if len(d.buf) > 2*MaxPacket {
			t.Fatalf("%d bytes kept", len(d.buf))
		}
	})
}

// FuzzOrder: an order that can be read and whose program can be encoded reads the same again.
func FuzzOrder(f *testing.F) {
	f.Add(programOrder(f, call()))
	f.Add(VersionOrder())
	f.Add((Answer{session, MethodProgram, ResultSuccess}).XML())
	f.Fuzz(func(t *testing.T, xml []byte) {
		_, _ = ParseAnswer(xml) // any outcome but a panic
		o, err := ParseOrder(xml)
		if err != nil {
			return
		}
		b, err := o.Program.Order(session)
		if err != nil {
			return
		}
		again, err := ParseOrder(b)
		if err != nil {
			t.Fatalf("an encoded order does not decode: %v", err)
		}
		c, err := again.Program.Order(session)
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("second round differs: %v\n%s\n%s", err, b, c)
		}
	})
}

func BenchmarkOrder(b *testing.B) {
	p, n := call(), 0
	b.ReportAllocs()
	for b.Loop() {
		xml, err := p.Order(session)
		if err != nil {
			b.Fatal(err)
		}
		n = len(xml)
	}
	b.SetBytes(int64(n))
}

func BenchmarkParseAnswer(b *testing.B) {
	xml := (Answer{session, MethodProgram, ResultSuccess}).XML()
	b.SetBytes(int64(len(xml)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAnswer(xml); err != nil {
			b.Fatal(err)
		}
	}
}
