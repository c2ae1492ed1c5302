package main

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// secrets are the demo's own passwords, drawn when its data are made.
type secrets struct {
	Kiosk, Screen, Staff, Ops string            // tokens of the hall
	PINs                      map[string]string // by staff id
	MQTT, Publish             string            // the hall's passwords at the cloud
	Admin, API                string            // console password, cloud token
	Viewer                    string            // reads relayed streams
}

// loadSecrets reads the secrets of kept data or draws new ones.
func loadSecrets(dir string) (s secrets, err error) {
	path := filepath.Join(dir, "agent", "demo-secrets.json")
	raw, err := os.ReadFile(path)
	if err == nil {
		return s, json.Unmarshal(raw, &s)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	for _, at := range []*string{&s.Kiosk, &s.Screen, &s.Staff, &s.Ops, &s.MQTT, &s.Publish, &s.API, &s.Viewer} {
		*at = token()
	}
	s.Admin = token()[:12]
	s.PINs = map[string]string{}
	for _, p := range demoStaff {
		s.PINs[p.id] = pin()
	}
	if raw, err = json.Marshal(s); err != nil {
		return s, err
	}
	return s, os.WriteFile(path, raw, 0o600)
}

// token draws 128 bits. crypto/rand never fails on Linux.
func token() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// pin draws six digits; the bias of 32 bits over a million is of no account.
func pin() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(b[:])%1_000_000)
}
