package scan

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestRefusedCommands(t *testing.T) {
	check := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, ErrCommand) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	for _, command := range []string{"", "A.B", "A!B", "A\rB", "号", strings.Repeat("A", 129)} {
		_, err := HoneywellMenu(command, false)
		check("honeywell "+command, err)
	}
	for _, command := range []string{"", "A\x03", strings.Repeat("A", 129)} {
		_, err := NewlandUnified(command, false)
		check("unified "+command, err)
	}
	for _, number := range []string{"", "9990003", "9990003;"} {
		_, err := NewlandSetup(number)
		check("setup "+number, err)
	}
	_, err := RegisterWrite(0)
	check("register without data", err)
	_, err = RegisterWrite(0, make([]byte, 256)...)
	check("register with 256 bytes", err)
	_, err = SSICommand(OpACK, make([]byte, 252)...)
	check("ssi with 252 bytes", err)
}

func TestNewlandCommands(t *testing.T) {
	setup, err := NewlandSetup("99900035")
	if err != nil || !bytes.Equal(setup, NewlandSetupTrigger(true)) {
		t.Errorf("setup string is %q, %v", setup, err)
	}
	for on, command := range map[bool]string{true: "SCNTRG1", false: "SCNTRG0"} {
		want, err := NewlandUnified(command, false)
		if err != nil || !bytes.Equal(NewlandUnifiedTrigger(on), want) {
			t.Errorf("trigger is %q, want %q, %v", NewlandUnifiedTrigger(on), want, err)
		}
	}
}

func TestHoneywellReply(t *testing.T) {
	for in, want := range map[string]Answer{
		"232BAD9\x06.": Accepted, "CBRENA1\x06!": Accepted, "XXXXXX\x05!": Unknown, "232BADZ\x15.": Refused,
		"": 0, "\x06.": 0, "232BAD9\x06": 0, "232BAD9.": 0, "A\x01\x06.": 0,
	} {
		text, a, err := ParseHoneywellReply([]byte(in))
		if a != want || (err == nil) != (want != 0) || want != 0 && text != in[:len(in)-2] {
			t.Errorf("%q: %q, %d, %v", in, text, a, err)
		}
		if err != nil && !errors.Is(err, ErrReply) {
			t.Errorf("%q: error is %v", in, err)
		}
	}
}

func TestNewlandUnifiedReply(t *testing.T) {
	for in, want := range map[string]Answer{
		"\x02\x010000#SCNTRG1\x06;\x03": Accepted, "\x02\x010000@QRCENA1\x06;\x03": Accepted,
		"\x02\x010000#XXXXXX\x05;\x03": Unknown, "\x02\x010000#SCNTRG9\x15;\x03": Refused,
		"": 0, "\x02\x010000;\x03": 0, "\x02\x010000#\x06;\x03": 0, "\x02\x010000SCNTRG1\x06;\x03": 0, "\x02\x010000#SCNTRG1\x06": 0,
	} {
		_, a, err := ParseNewlandUnifiedReply([]byte(in))
		if a != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", in, a, err)
		}
	}
}

func TestRegisterReply(t *testing.T) {
	whole := []byte{0x02, 0x00, 0x00, 0x01, 0x00, 0x33, 0x31}
	for n := range whole {
		if _, used, err := ParseRegisterReply(whole[:n]); used != 0 || err != nil {
			t.Errorf("first %d bytes: %d, %v", n, used, err)
		}
	}
	if _, n, err := ParseRegisterReply(append(whole, "A001\r"...)); n != 7 || err != nil {
		t.Errorf("with a code behind: %d, %v", n, err)
	}
	if _, _, err := ParseRegisterReply([]byte{0x02, 0x00, 0x00, 0x01, 0x01, 0x33, 0x31}); !errors.Is(err, ErrSum) {
		t.Errorf("wrong sum: %v", err)
	}
	if _, _, err := ParseRegisterReply([]byte("A")); !errors.Is(err, ErrReply) {
		t.Errorf("no reply: %v", err)
	}
}

func packet(status byte, data string) []byte {
	return SSI{Op: OpDecodeData, Source: fromDecoder, Status: status, Data: []byte(data)}.encode()
}

func TestSSIReader(t *testing.T) {
	ack := SSI{Op: OpACK, Source: fromHost}.encode()
	cases := []struct {
		name    string
		in      []byte
		codes   []string
		acks    int
		garbage int
	}{
		{"two codes", append(packet(0, "\x03A1"), packet(0, "\x03A2")...), []string{"A1", "A2"}, 2, 0},
		{"same code twice", append(packet(0, "\x03A1"), packet(0, "\x03A1")...), []string{"A1", "A1"}, 2, 0},
		{"our ACK was lost", append(packet(0, "\x03A1"), packet(statusAgain, "\x03A1")...), []string{"A1"}, 2, 0},
		{"first try was lost", append(packet(0, "\x03A1"), packet(statusAgain, "\x03A2")...), []string{"A1", "A2"}, 2, 0},
		{"wake-up byte", append([]byte{0}, packet(0, "\x03A1")...), []string{"A1"}, 1, 0},
		{"noise before", append([]byte{5, 1, 2}, packet(0, "\x03A1")...), []string{"A1"}, 1, 3},
		{"part of a long code", packet(statusMore, "\x03A1"), nil, 1, 3},
		{"no text", packet(0, "\x03"), nil, 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var r SSIReader
			codes, others, answer := r.Feed(c.in)
			var got []string
			for _, code := range codes {
				got = append(got, string(code.Data))
			}
			if !reflect.DeepEqual(got, c.codes) || others != nil {
				t.Errorf("codes %q, want %q; others %v", got, c.codes, others)
			}
			if !bytes.Equal(answer, bytes.Repeat(ack, c.acks)) || r.Garbage() != c.garbage || r.Pending() {
				t.Errorf("answer % x, %d bytes of noise, pending %v", answer, r.Garbage(), r.Pending())
			}
			if long := r.TooLong(); (long == 1) != strings.HasPrefix(c.name, "part of a long code") {
				t.Errorf("%d packets count as too long", long)
			}
		})
	}
}

func TestSSIReaderAsksAgain(t *testing.T) {
	var r SSIReader
	if answer := r.Flush(); answer != nil {
		t.Errorf("answered % x to nothing", answer)
	}
	damaged := packet(0, "\x03A001")
	codes, _, answer := r.Feed(damaged[:len(damaged)-2])
	if codes != nil || answer != nil || !r.Pending() {
		t.Fatalf("took %q, answered % x", codes, answer)
	}
	if got, want := r.Flush(), (SSI{Op: OpNAK, Source: fromHost, Data: []byte{nakResend}}).encode(); !bytes.Equal(got, want) {
		t.Errorf("answered % x, want % x", got, want)
	}
	if codes, _, _ = r.Feed(packet(statusAgain, "\x03A001")); len(codes) != 1 {
		t.Errorf("the repeated code was not taken: %q", codes)
	}
}

func TestSSIOtherPackets(t *testing.T) {
	var r SSIReader
	codes, others, answer := r.Feed(SSI{Op: OpACK, Source: fromDecoder}.encode())
	if codes != nil || answer != nil || len(others) != 1 || others[0].Op != OpACK {
		t.Errorf("read %q, %v, answered % x", codes, others, answer)
	}
}

// FuzzReplies feeds noise to every parser of replies.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("232BAD9\x06."))
	f.Add([]byte("\x02\x010000#SCNTRG1\x06;\x03"))
	f.Add([]byte{0x02, 0x00, 0x00, 0x01, 0x00, 0x33, 0x31})
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, a, err := ParseHoneywellReply(data); err == nil && len(text)+2 != len(data) {
			t.Errorf("honeywell %q, %d", text, a)
		}
		if text, a, err := ParseNewlandUnifiedReply(data); err == nil && len(text)+10 != len(data) {
			t.Errorf("newland %q, %d", text, a)
		}
		if r, n, err := ParseRegisterReply(data); err != nil && n != 0 || n > len(data) || n > 0 && n != 6+len(r.Data) {
			t.Errorf("register %+v of %d bytes, %v", r, n, err)
		}
	})
}

func FuzzSSIReader(f *testing.F) {
	f.Add(packet(0, "\x03A001"))
	f.Add(append(packet(statusAgain, "\x03A001"), 0, 1, 2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		var whole, pieces SSIReader
		codes, others, answer := whole.Feed(data)
		var gotCodes []Code
		var gotOthers []SSI
		var gotAnswer []byte
		for i := range data {
			c, o, a := pieces.Feed(data[i : i+1])
			gotCodes, gotOthers, gotAnswer = append(gotCodes, c...), append(gotOthers, o...), append(gotAnswer, a...)
		}
		if !reflect.DeepEqual(gotCodes, codes) || !reflect.DeepEqual(gotOthers, others) || !bytes.Equal(gotAnswer, answer) {
			t.Errorf("in pieces %q %v, at once %q %v", gotCodes, gotOthers, codes, others)
		}
		whole.Flush()
		if whole.Garbage() > len(data) || whole.Pending() || len(pieces.buf) > 257 {
			t.Errorf("%d bytes of noise, pending %v, %d bytes held", whole.Garbage(), whole.Pending(), len(pieces.buf))
		}
	})
}
