// Package caller gives a clerk's hot-keys: a key that is pressed while any program has the focus becomes a verb of the clerk's window at
// the hall's agent.
package caller

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"halledge/agent/internal/caller/hotkey"
	"halledge/agent/kit/strictyaml"
)

// Config is hall-caller.yaml.
type Config struct {
	Schema int               `yaml:"schema"`
	Agent  string            `yaml:"agent"`  // address: https://192.168.1.10:8080
	CA     string            `yaml:"ca"`     // path of the hall's root, relative to this file; empty: what this machine trusts
	Window string            `yaml:"window"` // id of the window
	Token  strictyaml.Secret `yaml:"token"`  // of staff; or else:
	User   string            `yaml:"user"`   // who signs in,
	PIN    strictyaml.Secret `yaml:"pin"`    // with that
	Keys   Keys              `yaml:"keys"`

	roots *x509.CertPool // of CA
}

// Keys are the verbs that can be had by a key; an empty chord is none.
type Keys struct {
	CallNext hotkey.Chord `yaml:"call-next"`
	Recall   hotkey.Chord `yaml:"recall"`
	Start    hotkey.Chord `yaml:"start"`
	Finish   hotkey.Chord `yaml:"finish"`
	Pass     hotkey.Chord `yaml:"pass"`
	Hold     hotkey.Chord `yaml:"hold"`
	Pause    hotkey.Chord `yaml:"pause"`
	Open     hotkey.Chord `yaml:"open"`
	Close    hotkey.Chord `yaml:"close"`
}

// The findings of this file beside those of strictyaml and hotkey.
const (
	AgentURL   strictyaml.Code = "caller_agent_url" // value
	WindowName strictyaml.Code = "caller_window"    // value
	SignIn     strictyaml.Code = "caller_sign_in"
	KeyTwice   strictyaml.Code = "caller_key_twice"    // value, first, second: verbs
	KeySystem  strictyaml.Code = "caller_key_system"   // value
	Unreadable strictyaml.Code = "caller_unreadable"   // reason
	RootBad    strictyaml.Code = "caller_ca"           // value, reason
	SchemaNew  strictyaml.Code = "config_out_of_range" // value, low, high
)

// Binding is a verb and its key.
type Binding struct {
	Verb string
	Key  hotkey.Chord
}

// Bindings lists the verbs that have a key, in the order of the file.
func (k *Keys) Bindings() []Binding {
	all := []Binding{
		{"call-next", k.CallNext}, {"recall", k.Recall}, {"start", k.Start}, {"finish", k.Finish}, {"pass", k.Pass}, {"hold", k.Hold},
		{"pause", k.Pause}, {"open", k.Open}, {"close", k.Close},
	}
	return slices.DeleteFunc(all, func(b Binding) bool { return b.Key.Key == "" })
}

// usual are the keys of the window's page, with what hotkey.Defaults says held, so that they are free for other programs.
func usual() Keys {
	key := func(name string) hotkey.Chord { return hotkey.Chord{Mods: hotkey.Defaults, Key: name} }
	return Keys{CallNext: key("F2"), Recall: key("F3"), Start: key("F4"), Finish: key("F5"), Pass: key("F6"), Hold: key("F8"), Pause: key("F10")}
}

// Load reads a file. When Problems.Err is not nil the configuration must not be used.
func Load(path string) (*Config, strictyaml.Problems) {
	c := &Config{Schema: 1, Keys: usual()}
	data, err := read(path)
	if err != nil {
		return c, strictyaml.Problems{{File: path, Line: 1, Col: 1, Path: "$", Code: Unreadable, Args: map[string]string{"reason": err.Error()}}}
	}
	doc := strictyaml.Decode(path, data, c)
	c.check(doc)
	dir := filepath.Dir(path)
	c.readRoots(doc, dir)
	doc.ReadSecret("$.token", &c.Token, dir, 16)
	doc.ReadSecret("$.pin", &c.PIN, dir, 4)
	if runtime.GOOS == "windows" { // whose files have no mode
		doc.Problems = slices.DeleteFunc(doc.Problems, func(p strictyaml.Problem) bool { return p.Code == strictyaml.SecretOpen })
	}
	return c, doc.Problems
}

// readRoots reads the root of the hall, as text or as browsers save it.
func (c *Config) readRoots(doc *strictyaml.Document, dir string) {
	if c.CA == "" {
		return
	}
	c.CA = strictyaml.Absolute(dir, c.CA)
	data, err := read(c.CA)
	c.roots = x509.NewCertPool()
	if err == nil && !c.roots.AppendCertsFromPEM(data) {
		var root *x509.Certificate
		if root, err = x509.ParseCertificate(data); err == nil {
			c.roots.AddCert(root)
		}
	}
	if err != nil {
		doc.At("$.ca", RootBad, map[string]string{"value": c.CA, "reason": err.Error()})
	}
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > strictyaml.MaxBytes:
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("no small regular file")}
	}
	return os.ReadFile(path)
}

func (c *Config) check(doc *strictyaml.Document) {
	if c.Schema != 1 {
		doc.At("$.schema", SchemaNew, map[string]string{"value": "schema", "low": "1", "high": "1"})
	}
	u, err := url.Parse(c.Agent)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		doc.At("$.agent", AgentURL, map[string]string{"value": c.Agent})
	}
	c.Agent = strings.TrimRight(c.Agent, "/")
	if c.Window == "" || len(c.Window) > 32 || strings.Trim(c.Window, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" {
		doc.At("$.window", WindowName, map[string]string{"value": c.Window})
	}
	if (c.Token.Ref == "") == (c.PIN.Ref == "") || (c.User == "") != (c.PIN.Ref == "") {
		doc.At("$.token", SignIn, nil)
	}
	verbOf := map[hotkey.Chord]string{}
	for _, b := range c.Keys.Bindings() {
		first, taken := verbOf[b.Key]
		switch {
		case taken:
			doc.At("$.keys."+b.Verb, KeyTwice, map[string]string{"value": b.Key.String(), "first": first, "second": b.Verb})
		case !hotkey.Usable(b.Key):
			doc.At("$.keys."+b.Verb, KeySystem, map[string]string{"value": b.Key.String()})
		}
		verbOf[b.Key] = b.Verb
	}
}
