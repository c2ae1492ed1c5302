package sdt

import (
	"bytes"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

// requests says which command each request vector is.
func requests() map[string]Command {
	return map[string]Command{
		"cmd-reset": CmdReset, "cmd-sam-status": CmdStatus, "cmd-sam-id": CmdSAMNumber, "cmd-find": CmdFind, "cmd-select": CmdSelect,
		"cmd-read-base": CmdReadCard, "cmd-read-base-fp": CmdReadWithPrint, "cmd-read-newaddr": CmdNewestAddress,
		"cmd-baud-115200": CmdSpeed115200, "cmd-baud-57600": CmdSpeed57600, "cmd-baud-38400": CmdSpeed38400,
		"cmd-baud-19200": CmdSpeed19200, "cmd-baud-9600": CmdSpeed9600, "cmd-max-rf-50": CmdMaxRF,
	}
}

// replies says which status each reply vector has.
func replies() map[string]Status {
	return map[string]Status{
		"rsp-ok": StatusOK, "rsp-find-ok": StatusFound, "rsp-find-none": StatusNoCard, "rsp-select-ok": StatusOK,
		"rsp-select-fail": StatusSelectFailed, "rsp-read-fail": StatusReadFailed, "rsp-bad-checksum": StatusBadChecksum,
		"rsp-bad-length": StatusBadLength, "rsp-bad-command": StatusBadCommand, "rsp-no-item": StatusNoItem,
		"rsp-not-authorised": StatusUnauthorised, "rsp-selftest-fail": StatusSelfTest, "rsp-sam-id": StatusOK,
		"rsp-30-01-resident-zhangsan": StatusOK, "rsp-30-01-resident-longterm": StatusOK, "rsp-30-01-hmt-j": StatusOK,
		"rsp-30-01-foreigner-i": StatusOK, "rsp-30-01-foreigner-y": StatusOK, "rsp-30-10-nofinger": StatusOK,
		"rsp-30-10-finger": StatusOK, "rsp-30-03": StatusOK,
	}
}

func TestEveryVector(t *testing.T) {
	for _, v := range vectors.For(t, "sdt") {
		t.Run(v.Name, func(t *testing.T) {
			if v.Direction == "host>device" {
				checkRequest(t, v)
				return
			}
			checkReply(t, v)
		})
	}
}

func checkRequest(t *testing.T, v vectors.Vector) {
	t.Helper()
	want, known := requests()[v.Name]
	if !known {
		t.Fatalf("no command written down for this vector")
	}
	var d RequestDecoder
	d.Push(v.Bytes)
	got, ok := d.Next()
	if !ok || got.Command != want {
		t.Fatalf("decoded %04X, %v; want %04X", got.Command, ok, want)
	}
	if again := AppendRequest(nil, got.Command, got.Data...); !bytes.Equal(again, v.Bytes) {
		t.Fatalf("encoded % X, want % X", again, v.Bytes)
	}
}

func checkReply(t *testing.T, v vectors.Vector) {
	t.Helper()
	want, known := replies()[v.Name]
	if !known {
		t.Fatalf("no status written down for this vector")
	}
	var d ReplyDecoder
	d.Push(v.Bytes)
	got, ok := d.Next()
	if !ok || got.Status != want || got.CardStatus != 0 {
		t.Fatalf("decoded %v, %v; want %v", got, ok, want)
	}
	again, err := AppendReply(nil, got.Status, got.data)
	if err != nil || !bytes.Equal(again, v.Bytes) {
		t.Fatalf("encoded % X (%v), want % X", again, err, v.Bytes)
	}
	if v.SAM != "" {
		n, err := got.SAMNumber()
		if err != nil || n.String() != v.SAM {
			t.Fatalf("SAM number %v, %v; want %s", n, err, v.SAM)
		}
		if !bytes.Equal(n.Data(), got.data) {
			t.Fatalf("SAM number encoded % X, want % X", n.Data(), got.data)
		}
	}
	if strings.HasPrefix(v.Name, "rsp-30-01") || strings.HasPrefix(v.Name, "rsp-30-10") {
		checkCard(t, v, got)
	}
}

func checkCard(t *testing.T, v vectors.Vector, r Reply) {
	t.Helper()
	c, err := r.Card()
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != "" && c.Number.Reveal() != v.ID {
		t.Errorf("number %q, want %q", c.Number.Reveal(), v.ID)
	}
	if !c.NumberValid() {
		t.Errorf("number %q has a wrong check character", c.Number.Reveal())
	}
	if c.PhotoLen != photoLen {
		t.Errorf("photo of %d bytes, want %d", c.PhotoLen, photoLen)
	}
	if strings.HasPrefix(v.Name, "rsp-30-01") {
		data, err := CardData(c, r.data[4+textLen:])
		if err != nil || !bytes.Equal(data, r.data) {
			t.Errorf("encoded again: %v\n got % X\nwant % X", err, data, r.data)
		}
	}
}

func TestIDNumberVectors(t *testing.T) {
	for _, v := range vectors.For(t, "gb11643") {
		number := string(v.Bytes)
		if !ValidIDNumber(number) {
			t.Errorf("%s: %q taken for wrong", v.Name, number)
		}
		for i := range number {
			bad := []byte(number)
			if bad[i]++; ValidIDNumber(string(bad)) {
				t.Errorf("%s: %q taken for right", v.Name, bad)
			}
		}
		for i := range len(number) - 1 {
			swapped := []byte(number)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			if string(swapped) != number && ValidIDNumber(string(swapped)) {
				t.Errorf("%s: %q taken for right", v.Name, swapped)
			}
		}
	}
	for _, bad := range []string{"", "99110119900307001", "9911011990030700160", "99110119900307018x", "99110119900307001六", "+91101199003070016"} {
		if ValidIDNumber(bad) {
			t.Errorf("%q taken for right", bad)
		}
	}
}
