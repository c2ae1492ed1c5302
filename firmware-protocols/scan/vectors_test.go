package scan

import (
	"bytes"
	"reflect"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

// must gives the bytes of a command that is known to be right.
func must(t *testing.T) func(b []byte, err error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// TestCommandVectors builds every vector that a host sends.
func TestCommandVectors(t *testing.T) {
	ok := must(t)
	built := map[string][]byte{
		"honeywell/trigger":            HoneywellTrigger(true),
		"honeywell/untrigger":          HoneywellTrigger(false),
		"honeywell/menu-115200":        ok(HoneywellMenu("232BAD9", true)),
		"honeywell/menu-query-codabar": ok(HoneywellMenu("CBRENA?", false)),
		"newland/trigger-legacy":       NewlandSetupTrigger(true),
		"newland/stop-legacy":          NewlandSetupTrigger(false),
		"newland/unified-query":        ok(NewlandUnified("QRCENA*", true)),
		"newland/unified-dfm":          ok(NewlandUnified("DFMADD069990039999F141", true)),
		"newland-reg/trigger-noCRC":    RegisterTrigger(),
		"newland-reg/trigger-CRC":      ok(RegisterWrite(TriggerRegister, 1)),
		"zebra-ssi/start-session":      SSITrigger(true),
		"zebra-ssi/stop-session":       SSITrigger(false),
		"zebra-ssi/cmd-ack":            ok(SSICommand(OpACK)),
		"zebra-ssi/cmd-nak-resend":     ok(SSICommand(OpNAK, nakResend)),
		"zebra-ssi/scan-enable":        ok(SSICommand(OpScanEnable)),
		"zebra-ssi/scan-disable":       ok(SSICommand(OpScanDisable)),
	}
	for _, protocol := range []string{"honeywell", "newland", "newland-reg", "zebra-ssi"} {
		for _, v := range vectors.For(t, protocol) {
			if v.Direction != "host>device" {
				continue
			}
			name := protocol + "/" + v.Name
			if !bytes.Equal(built[name], v.Bytes) {
				t.Errorf("%s: built % x, want % x", name, built[name], v.Bytes)
			}
		}
	}
}

// TestReplyVectors reads every vector that a device sends.
func TestReplyVectors(t *testing.T) {
	register := func(want RegisterStatus) func(*testing.T, []byte) {
		return func(t *testing.T, b []byte) {
			r, n, err := ParseRegisterReply(b)
			if err != nil || n != len(b) || r.Status != want || !bytes.Equal(r.Data, []byte{0}) {
				t.Errorf("read %+v of %d bytes, %v; want status %d", r, n, err, want)
			}
		}
	}
	framed := func(o Options, want Code) func(*testing.T, []byte) {
		return func(t *testing.T, b []byte) {
			if got := NewFramer(o).Feed(b); !reflect.DeepEqual(got, []Code{want}) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	read := map[string]func(*testing.T, []byte){
		"honeywell/data-crlf":               framed(Options{}, Code{Data: []byte("A001")}),
		"honeywell/data-aim":                framed(Options{AIM: true}, Code{Data: []byte("A001"), AIM: "]Q1"}),
		"newland-reg/reply-success":         register(RegisterOK),
		"newland-reg/reply-CRC-failure":     register(RegisterBadSum),
		"newland-reg/reply-invalid-command": register(RegisterInvalid),
		"newland/unified-dfm-ack": func(t *testing.T, b []byte) {
			text, a, err := ParseNewlandUnifiedReply(b)
			if err != nil || a != Accepted || text != "DFMADD069990039999F141" {
				t.Errorf("read %q, %d, %v", text, a, err)
			}
		},
		"zebra-ssi/decode-data": func(t *testing.T, b []byte) {
			var r SSIReader
			codes, others, answer := r.Feed(b)
			ack := vectors.One(t, "zebra-ssi", "cmd-ack").Bytes
			if !reflect.DeepEqual(codes, []Code{{Data: []byte("A001")}}) || others != nil || !bytes.Equal(answer, ack) {
				t.Errorf("read %q, %v, answered % x", codes, others, answer)
			}
		},
	}
	for _, protocol := range []string{"honeywell", "newland", "newland-reg", "zebra-ssi"} {
		for _, v := range vectors.For(t, protocol) {
			if v.Direction != "device>host" {
				continue
			}
			name := protocol + "/" + v.Name
			check := read[name]
			if check == nil {
				t.Errorf("%s: no expectation for this vector", name)
				continue
			}
			t.Run(name, func(t *testing.T) { check(t, v.Bytes) })
		}
	}
}

func TestRegisterSumMayBeLeftOut(t *testing.T) {
	reply := append(vectors.One(t, "newland-reg", "reply-success").Bytes[:5:5], 0xAB, 0xCD)
	if r, n, err := ParseRegisterReply(reply); err != nil || n != 7 || r.Status != RegisterOK {
		t.Errorf("read %+v of %d bytes, %v", r, n, err)
	}
}
