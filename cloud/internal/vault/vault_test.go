package vault_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/gmtest"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

func openVault(t *testing.T, dir string, make bool) *vault.Vault {
	t.Helper()
	v, err := vault.Open(vault.Options{Directory: dir, Make: make})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func same(a, b []gm.PublicKey) bool {
	return slices.EqualFunc(a, b, func(a, b gm.PublicKey) bool { return a.String() == b.String() })
}

func TestKeysStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	first := openVault(t, dir, true).Keys()
	if len(first.Open) != 1 || len(first.Sign) != 1 || first.Open[0].ID() == first.Sign[0].ID() {
		t.Fatalf("keys %v", first)
	}
	again := openVault(t, dir, false).Keys()
	if !same(first.Open, again.Open) || !same(first.Sign, again.Sign) {
		t.Error("others after the second opening")
	}
	for _, name := range []string{"open-1.key", "sign-1.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// What was wrapped before a rotation is opened after it, and what is wrapped after it is for the new key.
func TestRotate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	old := openVault(t, dir, true)
	data, k0 := gm.NewDataKey(), chain.NewKey()
	wraps, err := old.Wrap(data.Wrap)
	if err != nil {
		t.Fatal(err)
	}
	links, err := old.Wrap(k0.Wrap)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Rotate(vault.Options{Directory: dir}); err != nil {
		t.Fatal(err)
	}
	v := openVault(t, dir, false)
	keys := v.Keys()
	if len(keys.Open) != 2 || len(keys.Sign) != 2 || !same(keys.Open[1:], old.Keys().Open) || !same(keys.Sign[1:], old.Keys().Sign) {
		t.Fatalf("keys %v, before %v", keys, old.Keys())
	}
	if v.Current(wraps) {
		t.Error("a wrap for the old key counts as one for the new key")
	}
	opened, err := v.DataKey(wraps)
	if err != nil || opened.ID() != data.ID() {
		t.Errorf("data key: %v", err)
	}
	chainKey, err := v.ChainKey(links)
	if err != nil || chainKey.ID() != k0.ID() {
		t.Errorf("chain key: %v", err)
	}
	anew, err := v.Wrap(data.Wrap)
	if err != nil || !v.Current(anew) {
		t.Errorf("wrapped anew: %v", err)
	}
	if _, err := old.DataKey(anew); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("opened without the new key: %v", err)
	}
	r, err := v.Receive(chain.Point{Number: 7}, time.Now())
	if err != nil || !r.Signed(keys.Sign[0]) || r.Signed(keys.Sign[1]) {
		t.Errorf("receipt by another key than the one in force: %v", err)
	}
	if sig, err := v.Sign([]byte("order")); err != nil || !keys.Sign[0].Verify([]byte("order"), sig) {
		t.Errorf("signature: %v", err)
	}
}

// Whoever knows an old key is answered with the newest that he knows, through any number of rotations.
func TestSignsWithAKeyThatIsKnown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	v := openVault(t, dir, true)
	for range 2 {
		var err error
		if v, err = vault.Rotate(vault.Options{Directory: dir}); err != nil {
			t.Fatal(err)
		}
	}
	k := v.Keys().Sign
	for _, c := range []struct {
		known []string
		want  gm.PublicKey
	}{
		{nil, k[0]}, {[]string{"another"}, k[0]}, {[]string{k[2].ID()}, k[2]}, {[]string{k[2].ID(), k[1].ID()}, k[1]}, {[]string{k[0].ID(), k[2].ID()}, k[0]},
	} {
		sig, err := v.For(c.known...).Sign([]byte("message"))
		if err != nil || !c.want.Verify([]byte("message"), sig) {
			t.Errorf("%q: another key, %v", c.known, err)
		}
	}
}

func TestWrapsThatCannotBeOpened(t *testing.T) {
	v := openVault(t, filepath.Join(t.TempDir(), "vault"), true)
	wraps, err := v.Wrap(gm.NewDataKey().Wrap)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.DataKey(nil); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("no wraps: %v", err)
	}
	wraps[0].Wrapped[40] ^= 1
	if _, err := v.DataKey(wraps); !errors.Is(err, gm.ErrOpen) {
		t.Errorf("changed: %v", err)
	}
	good, err := v.Wrap(gm.NewDataKey().Wrap)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.DataKey(append(wraps, good...)); err != nil {
		t.Errorf("a good one behind a bad one: %v", err)
	}
	if _, err := v.DataKey([]hallsync.KeyWrap{{For: "0123456789abcdef", Wrapped: good[0].Wrapped}}); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("for somebody else: %v", err)
	}
}

func TestDirectoryThatIsRefused(t *testing.T) {
	tests := map[string]struct {
		spoil func(dir string) error
		want  vault.Code
	}{
		"open to others": {func(dir string) error { return os.Chmod(filepath.Join(dir, "open-1.key"), 0o644) }, vault.CodeUnsafe},
		"directory open": {func(dir string) error { return os.Chmod(dir, 0o755) }, vault.CodeUnsafe},
		"no such key":    {func(dir string) error { return os.WriteFile(filepath.Join(dir, "sign-1.key"), []byte("none"), 0o600) }, vault.CodeDamaged},
		"empty":          {func(dir string) error { return os.Truncate(filepath.Join(dir, "sign-1.key"), 0) }, vault.CodeDamaged},
		"none":           {func(dir string) error { return os.Remove(filepath.Join(dir, "open-1.key")) }, vault.CodeMissing},
		"hole": {func(dir string) error {
			return os.Rename(filepath.Join(dir, "open-1.key"), filepath.Join(dir, "open-2.key"))
		}, vault.CodeMissing},
		"no directory": {os.RemoveAll, vault.CodeMissing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "vault")
			openVault(t, dir, true)
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := vault.Open(vault.Options{Directory: dir})
			var fault *vault.Fault
			if !errors.As(err, &fault) || fault.Code != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// The keys may be in a module that never gives them out.
func TestProvider(t *testing.T) {
	module := gmtest.NewModule(t)
	o := vault.Options{Directory: filepath.Join(t.TempDir(), "vault"), Make: true, Provider: module}
	v, err := vault.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	data := gm.NewDataKey()
	wraps, err := v.Wrap(data.Wrap)
	if err != nil {
		t.Fatal(err)
	}
	o.Make = false
	if v, err = vault.Open(o); err != nil {
		t.Fatal(err)
	}
	if k, err := v.DataKey(wraps); err != nil || k.ID() != data.ID() {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(filepath.Join(o.Directory, "open-1.key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (gm.Software{}).Open(context.Background(), string(text)); err == nil {
		t.Error("the key itself is in the file")
	}
}

// A database that knows keys does not get others in silence.
func TestLostKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	known := openVault(t, dir, true).IDs()
	if _, err := vault.Open(vault.Options{Directory: dir, Make: true, Known: known}); err != nil {
		t.Fatal(err)
	}
	for name, lose := range map[string]func() error{
		"other keys":   func() error { return os.RemoveAll(dir) },
		"no directory": func() error { return os.RemoveAll(dir) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		if name == "other keys" {
			openVault(t, dir, true)
		}
		_, err := vault.Open(vault.Options{Directory: dir, Make: true, Known: known})
		var fault *vault.Fault
		if !errors.As(err, &fault) || fault.Code != vault.CodeLost {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Keys that open are never made beside keys that sign: they were lost.
func TestHalfTheKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	openVault(t, dir, true)
	if err := os.Remove(filepath.Join(dir, "open-1.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(vault.Options{Directory: dir, Make: true}); err == nil {
		t.Error("made anew")
	}
}
