package codes

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/gm"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/fakes/province"
)

// asking gives a recogniser that asks a province directly.
func asking(t *testing.T, log *slog.Logger) (*Recogniser, *province.Province, config.Codes) {
	t.Helper()
	ours, theirs := newKey(t), newKey(t)
	far, err := province.Start(province.Options{Key: theirs, Callers: map[string]gm.PublicKey{string(hallCode): ours.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := ours.PEM()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Codes{Resolver: "remote", URL: far.URL(), Key: config.NewSecret(text), Peer: config.VerifyKey{PublicKey: theirs.Public()}}
	resolver, own, err := NewResolver(hallCode, c, time.Now)
	if err != nil || own != nil {
		t.Fatal(own, err)
	}
	return New(Options{Signer: signer(t), Rules: SimRules, Resolver: resolver, Log: log}), far, c
}

func newKey(t *testing.T) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheProvinceSaysWhoseACodeIs(t *testing.T) {
	r, far, _ := asking(t, slog.New(slog.DiscardHandler))
	for payload, want := range map[string]Code{
		"YSS-SIM-1": "", "YSH-SIM-1": "", "YSS-SIM-REFUSED": Refused, "YSS-SIM-EXPIRED": Expired, "YSS-SIM-USED": Used,
		"YSS-SIM-NOBODY": Nobody, "YSS-SIM-BARRED": Barred, "YSS-SIM-BUSY": Busy, "YSS-SIM-OFFLINE": Offline, "YSS-SIM-": Refused,
	} {
		res, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(payload))
		if codeOf(err) != want {
			t.Errorf("%s: %v", payload, err)
		}
		if names := r.opts.Signer.Names(device.NewSecret(province.Number(payload))); want == "" && !slices.Equal(res.Names, names) || want != "" && res.Names != nil {
			t.Errorf("%s: person %q", payload, res.Names)
		}
	}
	if far.Asked() != 10 {
		t.Errorf("asked %d times", far.Asked())
	}
}

// Slow, silent, wrong and forged: nobody waits longer than three seconds, nothing wrong is believed, and the next code is asked about.
func TestAProvinceThatMisbehaves(t *testing.T) {
	for _, tc := range []struct {
		mode  province.Mode
		delay time.Duration
		want  Code
	}{
		{province.Slow, 50 * time.Millisecond, ""},
		{province.Slow, time.Minute, Slow},
		{province.Silent, 0, Slow},
		{province.Wrong, 0, Wrong},
		{province.Forged, 0, Wrong},
		{province.Down, 0, Offline},
	} {
		t.Run(string(tc.mode)+tc.delay.String(), func(t *testing.T) {
			t.Parallel()
			r, far, _ := asking(t, slog.New(slog.DiscardHandler))
			far.Set(tc.mode, tc.delay)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := r.Recognise(ctx, "kiosk-1", device.NewSecret("YSS-SIM-1"))
			if codeOf(err) != tc.want || ctx.Err() != nil {
				t.Fatalf("%v %v", err, ctx.Err())
			}
			if far.Asked() != 1 {
				t.Errorf("asked %d times: what may have arrived must not be asked again", far.Asked())
			}
			far.Set(province.Good, 0)
			if _, err := r.Recognise(ctx, "kiosk-1", device.NewSecret("YSS-SIM-2")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNobodyThereAndNobodyWhoKnowsUs(t *testing.T) {
	_, far, c := asking(t, slog.New(slog.DiscardHandler))
	stranger, _, err := NewResolver("440900000000002", c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Kind: KindYSS, Place: "kiosk-1", Purpose: hallsync.ToTake, Payload: device.NewSecret("YSS-SIM-1")}
	if _, err := stranger.Resolve(t.Context(), q); codeOf(err) != Offline || far.Asked() != 0 {
		t.Errorf("a stranger: %v, asked %d times", err, far.Asked())
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.URL = "http://" + gone.Addr().String() + "/"
	gone.Close()
	nobody, _, err := NewResolver(hallCode, c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nobody.Resolve(t.Context(), q); codeOf(err) != Offline {
		t.Errorf("nobody there: %v", err)
	}
}

func TestNewResolverRefusesWhatCannotWork(t *testing.T) {
	_, _, good := asking(t, slog.New(slog.DiscardHandler))
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*config.Codes){
		"resolver": func(c *config.Codes) { c.Resolver = "guess" },
		"key":      func(c *config.Codes) { c.Key = config.NewSecret("no key") },
		"ca":       func(c *config.Codes) { c.CA = noPEM },
		"no ca":    func(c *config.Codes) { c.CA = noPEM + ".gone" },
	} {
		c := good
		change(&c)
		if _, _, err := NewResolver(hallCode, c, time.Now); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, name := range []string{"none", "", "sim"} {
		if r, _, err := NewResolver(hallCode, config.Codes{Resolver: name}, time.Now); err != nil || r == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The log of a hall with the province's answers holds neither code nor number nor key.
func TestNothingSecretIsLogged(t *testing.T) {
	var out strings.Builder
	r, far, c := asking(t, slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	const payload = "YSS-SIM-77777"
	for _, m := range []province.Mode{province.Good, province.Wrong, province.Forged, province.Down} {
		far.Set(m, 0)
		_, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(payload+string(m)))
		r.opts.Log.Info("asked", "config", c, "error", err)
		for _, secret := range []string{payload, province.Number(payload + string(m)), base64.StdEncoding.EncodeToString([]byte(payload)), c.Key.Reveal()[30:60]} {
			if strings.Contains(out.String(), secret) {
				t.Fatalf("%s is in the log: %s", secret, out.String())
			}
		}
	}
}

func FuzzUnderstand(f *testing.F) {
	for _, s := range []string{`{"status":"ok"}`, `{"status":"ok","number":"991101199003070016"}`, `{"status":"ok","person":"00"}`, `{"status":"expired"}`, "", "[]"} {
		f.Add(200, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		a, err := understand(status, []byte(body))
		number := a.Number.Reveal()
		switch {
		case err != nil && codeOf(err) == "":
			t.Fatalf("%v says no reason", err)
		case err == nil && (number != "" && len(number) != 18 || slices.ContainsFunc(a.Names, func(n string) bool { return len(n) != 32 })):
			t.Fatalf("%q is taken", body)
		}
	})
}
