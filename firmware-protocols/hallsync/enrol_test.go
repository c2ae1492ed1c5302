package hallsync_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// The line is what people copy and what boxes in the field read: it never changes.
const enrolLine = "HE1-440900000000001-AAAQEAYEAUDAOCAJ-777P36XZ7D37N5PU"

func enrolment() hallsync.EnrolCode {
	return hallsync.EnrolCode{
		Hall:   "440900000000001",
		Secret: hallsync.EnrolSecret{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		Pin:    hallsync.RootPin{255, 254, 253, 250, 249, 248, 247, 246, 245, 244},
	}
}

func TestEnrolCodeIsOneLine(t *testing.T) {
	c := enrolment()
	if got := c.Line(); got != enrolLine {
		t.Errorf("line %s, want %s", got, enrolLine)
	}
	for _, line := range []string{enrolLine, " " + strings.ToLower(enrolLine) + "\r\n"} {
		if got, err := hallsync.ParseEnrolCode(line); err != nil || got != c {
			t.Errorf("%q: %v %v", line, got, err)
		}
	}
	digest := [32]byte{255, 254, 253, 250, 249, 248, 247, 246, 245, 244, 1}
	if hallsync.PinOf(digest) != c.Pin {
		t.Error("a pin is not the beginning of the digest")
	}
}

func TestEnrolCodeRefusesWhatIsNone(t *testing.T) {
	for _, line := range []string{
		"", "HE1", "HE2" + enrolLine[3:], enrolLine + "-A", strings.Replace(enrolLine, "-44", "-4", 1),
		strings.Replace(enrolLine, "AAAQ", "AAA1", 1), strings.Replace(enrolLine, "AAAQ", "AAA", 1), enrolLine[:len(enrolLine)-1],
		enrolLine + "A", strings.Replace(enrolLine, "AAAQ", "AA\nQ", 1), strings.Replace(enrolLine, "-AAAQ", "-\n\nAA", 1),
		strings.Repeat(" ", 200) + enrolLine,
	} {
		_, err := hallsync.ParseEnrolCode(line)
		var bad *hallsync.EnrolError
		if !errors.As(err, &bad) {
			t.Errorf("%q was taken: %v", line, err)
		}
	}
}

func TestEnrolCodeKeepsItsSecret(t *testing.T) {
	c := enrolment()
	asJSON, err := json.Marshal(map[string]any{"a": c, "b": c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("code", "code", c, "secret", c.Secret)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("code", "code", c, "secret", c.Secret)
	for _, text := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v %#v %x %q", c, &c, c, c), fmt.Sprintf("%v %x %d", c.Secret, c.Secret, c.Secret), string(asJSON), log.String(),
	} {
		if strings.Contains(text, "AAAQEAYE") || strings.Contains(text, "0001020304") || strings.Contains(text, "1 2 3 4") || !strings.Contains(text, "***") {
			t.Errorf("the secret is shown: %s", text)
		}
	}
}

func TestRevocationsAreWrittenAsHallsReadThem(t *testing.T) {
	raw, err := json.Marshal(hallsync.Revocations{Number: 7, At: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), Serials: []string{"4a", "5b"}})
	const want = `{"number":7,"at":"2026-11-23T01:00:00Z","serials":["4a","5b"]}`
	if err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
	if got := string(hallsync.RevocationsMessage(raw)); got != "hall-edge/v1/revocations\n"+want {
		t.Errorf("signed is %q", got)
	}
}

func FuzzParseEnrolCode(f *testing.F) {
	f.Add(enrolLine)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := hallsync.ParseEnrolCode(line)
		if err != nil {
			return
		}
		if again, err := hallsync.ParseEnrolCode(c.Line()); err != nil || again != c || !c.Hall.Valid() {
			t.Errorf("%q gave %s", line, c.Line())
		}
	})
}
