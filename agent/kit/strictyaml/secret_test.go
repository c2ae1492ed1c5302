package strictyaml_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/kit/strictyaml"
)

// holder has a secret where fmt looks without asking the type.
type holder struct{ hidden strictyaml.Secret }

func TestSecretIsReadFromItsFileAndNeverPrinted(t *testing.T) {
	const text = "correct horse battery staple"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Token strictyaml.Secret `yaml:"token"`
	}
	doc := strictyaml.Decode("f.yaml", []byte("token: file:token\n"), &v)
	doc.ReadSecret("$.token", &v.Token, dir, 16)
	if len(doc.Problems) != 0 || v.Token.Reveal() != text || v.Token.Empty() {
		t.Fatalf("secret %q, problems %v", v.Token.Reveal(), doc.Problems)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(raw)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		printed += fmt.Sprintf(verb+verb+verb, v.Token, v, holder{v.Token})
	}
	if strings.Contains(printed, text) || strings.Contains(printed, fmt.Sprintf("%x", text)) {
		t.Errorf("the secret was printed:\n%s", printed)
	}
}

func TestSecretFindings(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"short": 0o600, "open": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", len(name)*4)), mode); err != nil {
			t.Fatal(err)
		}
	}
	for ref, want := range map[string]strictyaml.Code{
		"hunter2": strictyaml.SecretRef, "file:": strictyaml.SecretRef, "file:nowhere": strictyaml.SecretMissing,
		"file:short": strictyaml.SecretShort, "file:open": strictyaml.SecretOpen,
	} {
		var v struct {
			Token strictyaml.Secret `yaml:"token"`
		}
		shortest := 8
		if ref == "file:short" {
			shortest = 64
		}
		doc := strictyaml.Decode("f.yaml", []byte("token: \""+ref+"\"\n"), &v)
		doc.ReadSecret("$.token", &v.Token, dir, shortest)
		if len(doc.Problems) != 1 || doc.Problems[0].Code != want {
			t.Errorf("%s: %v, want %s", ref, doc.Problems, want)
		}
	}
}
