package pki_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/cloud/internal/pki"
	"halledge/firmware-protocols/hallsync"
)

func TestCodeEnrolsOnce(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	code := c.code("SN-1", 15*time.Minute)
	again, err := hallsync.ParseEnrolCode(code.Line())
	if err != nil || again != code || code.Pin != c.Roots().Pin() {
		t.Fatalf("line %s: %v", code, err)
	}
	if _, err := c.Enrol(t.Context(), b.ask(code, "192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	_, err = c.Enrol(t.Context(), newBox(t, string(hall)).ask(code, "192.0.2.1"))
	refused(t, "a second time", err, pki.CodeEnrol)
	if got := c.audits("enrol"); !slices.Equal(got, []string{"ok", "enrol_used"}) {
		t.Errorf("audit %v", got)
	}
	if got := c.audits("enrol_code"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("audit of codes %v", got)
	}
}

func TestOneOfFiftyWhoShowTheSameCodeHasTheCertificates(t *testing.T) {
	c := newCentre(t)
	code := c.code("", 15*time.Minute)
	var wg sync.WaitGroup
	var won atomic.Int64
	for i := range 50 {
		b := newBox(t, string(hall))
		wg.Go(func() {
			_, err := c.Enrol(t.Context(), b.ask(code, fmt.Sprintf("192.0.2.%d", i)))
			var f *pki.Fault
			switch {
			case err == nil:
				won.Add(1)
			case !errors.As(err, &f) || f.Code != pki.CodeEnrol:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stored, err := c.st.Certificates(t.Context(), string(hall))
	if won.Load() != 1 || err != nil || len(stored) != 3 {
		t.Errorf("%d have won, %d certificates, %v", won.Load(), len(stored), err)
	}
	results := c.audits("enrol")
	slices.Sort(results)
	if len(results) != 50 || results[48] != "enrol_used" || results[49] != "ok" {
		t.Errorf("audit %v", results)
	}
}

func TestCodesThatAreNotGoodHereAreRefusedAlike(t *testing.T) {
	for name, x := range map[string]struct {
		spoil func(*centre, *pki.Ask)
		audit string
	}{
		"unknown":        {func(_ *centre, a *pki.Ask) { a.Secret[3] ^= 1 }, "enrol_unknown"},
		"another hall":   {func(_ *centre, a *pki.Ask) { a.Hall = other }, "enrol_hall"},
		"no hall at all": {func(_ *centre, a *pki.Ask) { a.Hall = "<script>" }, "enrol_hall"},
		"another box":    {func(_ *centre, a *pki.Ask) { a.Serial = "SN-2" }, "enrol_serial"},
		"no box":         {func(_ *centre, a *pki.Ask) { a.Serial = "" }, "enrol_serial"},
		"over":           {func(c *centre, _ *pki.Ask) { c.set(start.Add(15 * time.Minute)) }, "enrol_over"},
	} {
		c, b := newCentre(t), newBox(t, string(hall))
		code := c.code("SN-1", 15*time.Minute)
		ask := b.ask(code, "192.0.2.1")
		x.spoil(c, &ask)
		_, err := c.Enrol(t.Context(), ask)
		refused(t, name, err, pki.CodeEnrol)
		if err.Error() != "pki: enrol_refused" {
			t.Errorf("%s: whoever asks is told %v", name, err)
		}
		if got := c.audits("enrol"); !slices.Equal(got, []string{x.audit}) {
			t.Errorf("%s: audit %v", name, got)
		}
		c.set(start)
		if _, err := c.Enrol(t.Context(), b.ask(code, "192.0.2.1")); err != nil {
			t.Errorf("%s: the right one afterwards: %v", name, err)
		}
	}
}

func TestCodeThatOthersTryDies(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	code := c.code("", time.Hour)
	wrong := b.ask(code, "192.0.2.1")
	wrong.Hall = other
	for range 5 {
		_, err := c.Enrol(t.Context(), wrong)
		refused(t, "another hall", err, pki.CodeEnrol)
	}
	_, err := c.Enrol(t.Context(), b.ask(code, "192.0.2.2"))
	refused(t, "the right one", err, pki.CodeEnrol)
	if got := c.audits("enrol"); got[5] != "enrol_dead" {
		t.Errorf("audit %v", got)
	}
}

func TestAttemptsFromOnePlaceAreLimited(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	code := c.code("", time.Hour)
	ask := b.ask(code, "2001:db8::1")
	ask.Secret[0] ^= 1
	limited := 0
	for range 20 {
		_, err := c.Enrol(t.Context(), ask)
		if err != nil && strings.HasSuffix(err.Error(), string(pki.CodeTooMany)) {
			limited++
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 were held off", limited)
	}
	_, err := c.Enrol(t.Context(), b.ask(code, "2001:db8::2")) // the same network
	refused(t, "a neighbour", err, pki.CodeTooMany)
	if _, err := c.Enrol(t.Context(), b.ask(code, "192.0.2.1")); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}

func TestBadRequestsLeaveTheCode(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	code := c.code("", time.Hour)
	bad := b.ask(code, "192.0.2.1")
	bad.TLS = newBox(t, string(other)).tlsAsk
	_, err := c.Enrol(t.Context(), bad)
	refused(t, "of another hall", err, pki.CodeRequest)
	if _, err := c.Enrol(t.Context(), b.ask(code, "192.0.2.1")); err != nil {
		t.Errorf("the right one afterwards: %v", err)
	}
	if got := c.audits("enrol"); !slices.Equal(got, []string{"enrol_request", "ok"}) {
		t.Errorf("audit %v", got)
	}
}

func TestClockThatIsBehindEnrolsNobody(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	c.set(start.Add(24 * time.Hour))
	code := c.code("", time.Minute)
	c.set(start.Add(time.Hour)) // after the roots, before the code
	_, err := c.Enrol(t.Context(), b.ask(code, "192.0.2.1"))
	refused(t, "before the code", err, pki.CodeClock)
	c.set(start.Add(-time.Hour))
	_, err = c.Enrol(t.Context(), b.ask(code, "192.0.2.1"))
	refused(t, "before the roots", err, pki.CodeClock)
}

func TestCodesAreMadeWithinBounds(t *testing.T) {
	c := newCentre(t)
	for _, valid := range []time.Duration{-time.Hour, 0, 59 * time.Second, 31 * 24 * time.Hour} {
		_, err := c.NewCode(t.Context(), hall, "", valid, operator)
		refused(t, valid.String(), err, pki.CodeValidity)
	}
	for _, serial := range []string{" ", "a b", "-x", strings.Repeat("a", 65), "序列"} {
		_, err := c.NewCode(t.Context(), hall, serial, time.Hour, operator)
		refused(t, serial, err, pki.CodeBadSerial)
	}
	_, err := c.NewCode(t.Context(), "44", "", time.Hour, operator)
	refused(t, "no hall", err, pki.CodeRequest)
}

// An answer that was lost on the way can be had again, by the same keys alone and not without end.
func TestALostAnswerIsGivenAgain(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	code := c.code("SN-1", 15*time.Minute)
	given := 0
	for i := range 20 {
		_, err := c.Enrol(t.Context(), b.ask(code, fmt.Sprintf("192.0.2.%d", i)))
		if err != nil {
			refused(t, "once more", err, pki.CodeEnrol)
			continue
		}
		given++
	}
	if given != 6 {
		t.Errorf("given %d times", given)
	}
	thief := newBox(t, string(hall))
	thief.sm2Ask = b.sm2Ask // copied from what went over the line
	code = c.code("SN-1", 15*time.Minute)
	if _, err := c.Enrol(t.Context(), b.ask(code, "198.51.100.1")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Enrol(t.Context(), thief.ask(code, "198.51.100.2"))
	refused(t, "one key of two", err, pki.CodeEnrol)
}

// Who is enrolled anew is another box: the one before is out.
func TestEnrolmentRevokesTheBoxBefore(t *testing.T) {
	c := newCentre(t)
	first, err := c.Enrol(t.Context(), newBox(t, string(hall)).ask(c.code("", time.Hour), "192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.RevocationNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t, string(hall))
	ask := b.ask(c.code("", time.Hour), "192.0.2.2")
	ask.Web, ask.Hosts = b.tlsAsk, []string{"hall.local", "192.0.2.7"}
	second, err := c.Enrol(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	for _, der := range [][]byte{first.TLS, first.Sign} {
		refused(t, "the box before", c.Admit(t.Context(), serial(t, der), hall), pki.CodeRevoked)
	}
	for _, der := range [][]byte{second.TLS, second.Sign} {
		if err := c.Admit(t.Context(), serial(t, der), hall); err != nil {
			t.Error(err)
		}
		refused(t, "another hall", c.Admit(t.Context(), serial(t, der), other), pki.CodeStranger)
	}
	for _, der := range [][]byte{second.Encrypt, second.Web} {
		refused(t, "a certificate for something else", c.Admit(t.Context(), serial(t, der), hall), pki.CodeStranger)
	}
	refused(t, "none of ours", c.Admit(t.Context(), "4a5b", hall), pki.CodeStranger)
	if after, err := c.RevocationNumber(t.Context()); err != nil || after <= before {
		t.Errorf("number %d after %d, %v", after, before, err)
	}
}
