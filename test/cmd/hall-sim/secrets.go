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

	"halledge/agent/kit/gm"
)

// secrets are the demo's own passwords, drawn when its data are made.
type secrets struct {
	Kiosk, Screen, Staff, Ops string            // tokens of the hall
	PINs                      map[string]string // by staff id
	MQTT, Publish             string            // the hall's passwords at the cloud
	Admin, API                string            // console password, cloud token
	Viewer                    string            // reads relayed streams
	HallKey, Centre, Province string            // SM2 keys, PEM: of the hall's questions, the centre and the province
}

// loadSecrets reads the secrets of kept data or draws new ones.
func loadSecrets(dir string) (s secrets, err error) {
	path := filepath.Join(dir, "agent", "demo-secrets.json")
	raw, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(raw, &s); err != nil || s.HallKey != "" {
			return s, err
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	for _, at := range []*string{&s.Kiosk, &s.Screen, &s.Staff, &s.Ops, &s.MQTT, &s.Publish, &s.API, &s.Viewer} {
		*at = token()
	}
	for _, at := range []*string{&s.HallKey, &s.Centre, &s.Province} {
		if *at, err = newKey(); err != nil {
			return s, err
		}
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

func newKey() (string, error) {
	k, err := gm.GenerateKey()
	if err != nil {
		return "", err
	}
	return k.PEM()
}

// publicOf gives the public half of a key that newKey drew; none for what is no key.
func publicOf(text string) string {
	k, err := gm.ParsePrivateKey(text)
	if err != nil {
		return ""
	}
	return k.Public().String()
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
