package hallsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
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

func enrolled() *hallsync.Enrolled {
	return &hallsync.Enrolled{
		TLS: []byte{48, 1}, Sign: []byte{48, 2}, Encrypt: []byte{48, 3}, SealedKey: []byte{0, 4}, Web: []byte{48, 5},
		Roots:     hallsync.TrustedRoots{TLS: [][]byte{{48, 6}}, SM2: [][]byte{{48, 7}, {48, 8}}},
		Centre:    hallsync.CentreKeys{Open: []string{"MFkwE1"}, Sign: []string{"MFkwE2", "MFkwE3"}},
		Index:     []hallsync.IndexKey{{ID: "2026", Wrapped: []byte{48, 9}}},
		Addresses: &hallsync.CentreAddresses{MQTT: "tls://centre.example:8883", HTTPS: "https://centre.example:9443", RTSP: "rtsps://centre.example:8322"},
		Revoked:   signedList(),
	}
}

func signedList() hallsync.SignedRevocations {
	return hallsync.SignedRevocations{List: []byte(`{"number":7,"at":"2026-11-23T01:00:00Z","serials":["4a","5b"]}`), Signature: []byte{48, 6}}
}

func enrolAsk() hallsync.EnrolAsk {
	return hallsync.EnrolAsk{Hall: "440900000000001", Secret: enrolment().Secret, Serial: "HE-0007", Requests: hallsync.Requests{
		TLS: []byte{48, 1}, SM2: []byte{48, 2}, Web: []byte{48, 3}, Hosts: []string{"hall.local", "192.0.2.7"}}}
}

func provision() hallsync.Provision {
	return hallsync.Provision{Code: enrolment(), Until: time.Date(2026, 12, 23, 1, 0, 0, 0, time.UTC), Addresses: *enrolled().Addresses}
}

// message reads a file of testdata/v1/messages that holds a secret, without its line breaks.
func message(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(goldens, "messages", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, file); err != nil {
		t.Fatal(err)
	}
	return line.Bytes()
}

func TestMessagesWithSecretsStayAsTheyWereWritten(t *testing.T) {
	ask := message(t, "enrol")
	if got, err := enrolAsk().Encode(); err != nil || !bytes.Equal(got, ask) {
		t.Errorf("an ask is written as\n%s, %v; was\n%s", got, err, ask)
	}
	if got, err := hallsync.ParseEnrolAsk(ask); err != nil || !reflect.DeepEqual(got, enrolAsk()) {
		t.Errorf("an ask is read as %+v, %v", got, err)
	}
	file := message(t, "provision")
	wide, err := provision().Encode()
	var got bytes.Buffer
	if err != nil || json.Compact(&got, wide) != nil || !bytes.Equal(got.Bytes(), file) {
		t.Errorf("a provision is written as\n%s, %v; was\n%s", wide, err, file)
	}
	if got, err := hallsync.ParseProvision(file); err != nil || got != provision() {
		t.Errorf("a provision is read as %+v, %v", got, err)
	}
	for _, v := range []any{enrolAsk(), provision()} {
		raw, err := json.Marshal(v)
		if text := fmt.Sprintf("%+v %s", v, raw); err != nil || strings.Contains(text, "AAAQEAYE") || !strings.Contains(text, "***") {
			t.Errorf("the secret is shown: %s, %v", text, err)
		}
	}
}

func TestMessagesOfEnrolmentRefuseWhatIsNone(t *testing.T) {
	long := strings.Repeat("A", 8<<10)
	for name, c := range map[string]struct {
		parse   func([]byte) error
		changes map[string]string // what stands in the good one → what instead
	}{
		"enrol": {func(b []byte) error { _, err := hallsync.ParseEnrolAsk(b); return err }, map[string]string{
			`"440900000000001"`: `"44090000000000"`, `"AAAQEAYEAUDAOCAJ"`: `"AAAQEAYEAUDAOCA1"`, `"MAE="`: `""`, `"MAI="`: `"` + long + `"`, `"MAM="`: `null`,
			`"hall.local"`: `""`, `["hall.local","192.0.2.7"]`: `[]`, `{`: `[`, `}`: `},`, `"HE-0007"`: `"` + strings.Repeat("7", 257) + `"`,
		}},
		"renew": {func(b []byte) error { _, err := hallsync.ParseRenewAsk(b); return err }, map[string]string{
			`"MAE="`: `"?"`, `"MAI="`: `"","knows":["0a1b"]`, `"tls"`: `"knows":[""],"tls"`, `}`: `,"web":"MAM="}`, `{`: strings.Repeat(" ", hallsync.MaxEnrolMessage) + `{`,
		}},
		"enrolled": {func(b []byte) error { _, err := hallsync.ParseEnrolAnswer(b); return err }, map[string]string{
			`"MAE="`: `""`, `{"enrolled"`: `{"retry_s":1,"enrolled"`, `["MAY="]`: `[]`, `"MAc="`: `""`, `["MFkwE1"]`: `[]`, `"MFkwE2"`: `""`, `"2026"`: `""`, `"MAk="`: `""`, `"AAQ="`: `null`, `"signature":"MAY="`: `"signature":""`,
			`"tls://centre.example:8883"`: `"` + strings.Repeat("t", 257) + `"`, `["MAc=","MAg="]`: `[` + strings.Repeat(`"MAc=",`, 64) + `"MAg="]`,
		}},
		"renewed": {func(b []byte) error { _, err := hallsync.ParseEnrolAnswer(b); return err }, map[string]string{
			`{"signed"`: `{"retry_s":1,"signed"`, `"signed":"`: `"signed":"?`, `"e30="`: `""`,
		}},
		"waiting":   {func(b []byte) error { _, err := hallsync.ParseEnrolAnswer(b); return err }, map[string]string{`300`: `0`, `"retry_s":300`: ``}},
		"provision": {func(b []byte) error { _, err := hallsync.ParseProvision(b); return err }, map[string]string{`"HE1-`: `"HE2-`, `"https://centre.example:9443"`: `""`}},
		"settings": {func(b []byte) error { _, err := hallsync.ParseSettings(b); return err }, map[string]string{
			`"MAY="`: `""`, `"list":"`: `"list":"` + strings.Repeat("QUFB", hallsync.MaxEnrolMessage/3+1),
		}},
	} {
		good := string(message(t, name))
		if err := c.parse([]byte(good)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for from, to := range c.changes {
			if !strings.Contains(good, from) {
				t.Fatalf("%s has no %s", name, from)
			}
			var bad *hallsync.EnrolError
			if err := c.parse([]byte(strings.Replace(good, from, to, 1))); !errors.As(err, &bad) {
				t.Errorf("%s with %.40s instead of %s: %v", name, to, from, err)
			}
		}
	}
}

// What a renewal gives is bounded as what a code gives is.
func TestSignedEnrolmentsAreReadAsOthers(t *testing.T) {
	good, err := json.Marshal(enrolled())
	if err != nil {
		t.Fatal(err)
	}
	if e, err := hallsync.ParseEnrolled(good); err != nil || !reflect.DeepEqual(&e, enrolled()) {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range []string{"", "{}", "null", strings.Replace(string(good), `"MAE="`, `""`, 1), string(good) + strings.Repeat(" ", hallsync.MaxEnrolMessage)} {
		var none *hallsync.EnrolError
		if _, err := hallsync.ParseEnrolled([]byte(bad)); !errors.As(err, &none) {
			t.Errorf("%.80s: %v", bad, err)
		}
	}
}

func TestRevocationsAreReadAsTheyWereWritten(t *testing.T) {
	s, err := hallsync.ParseSettings(message(t, "settings"))
	if err != nil {
		t.Fatal(err)
	}
	want := hallsync.Revocations{Number: 7, At: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), Serials: []string{"4a", "5b"}}
	if got, err := s.Revoked.Body(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, list := range []string{"", "[]", `{"number":-1}`, `{"number":1} `} {
		s.Revoked.List = []byte(list)
		if _, err := s.Revoked.Body(); (err == nil) != strings.HasSuffix(list, " ") {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func FuzzEnrolMessages(f *testing.F) {
	for _, name := range []string{"enrol", "renew", "enrolled", "renewed", "waiting", "provision", "settings"} {
		f.Add(message(f, name))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if a, err := hallsync.ParseEnrolAsk(body); err == nil {
			again, err := a.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := hallsync.ParseEnrolAsk(again); err != nil || !reflect.DeepEqual(a.Secret, b.Secret) || a.Hall != b.Hall {
				t.Errorf("%q is not read again: %v", again, err)
			}
		}
		if s, err := hallsync.ParseSettings(body); err == nil && s.Revoked != nil {
			_, _ = s.Revoked.Body()
		}
		_, _ = hallsync.ParseRenewAsk(body)
		_, _ = hallsync.ParseEnrolAnswer(body)
		_, _ = hallsync.ParseEnrolled(body)
		_, _ = hallsync.ParseProvision(body)
	})
}
