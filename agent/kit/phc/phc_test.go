package phc_test

import (
	"errors"
	"strings"
	"testing"

	"halledge/agent/kit/phc"
)

// foreign is a vector of the reference implementation (phc-winner-argon2, src/test.c): password, somesalt, t 2, m 2^16, p 1.
const foreign = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestHashOfAnotherProgram(t *testing.T) {
	h, err := phc.Parse(foreign)
	if err != nil {
		t.Fatal(err)
	}
	if !h.Matches([]byte("password")) || h.Matches([]byte("Password")) || h.Matches(nil) {
		t.Error("the hash of the reference implementation is not understood")
	}
}

func TestNewHashComesBack(t *testing.T) {
	a, b := phc.New([]byte("secret")), phc.New([]byte("secret"))
	if a.String() == b.String() {
		t.Error("two hashes share a salt")
	}
	h, err := phc.Parse(a.String())
	if err != nil || !h.Matches([]byte("secret")) || h.Matches([]byte("secreT")) {
		t.Errorf("%v, %v", h, err)
	}
}

func TestADecoyCostsWhatAHashDoes(t *testing.T) {
	costs := func(h phc.Hash) string {
		return h.String()[:strings.LastIndex(h.String()[:strings.LastIndex(h.String(), "$")], "$")]
	}
	d := phc.Decoy()
	if costs(d) != costs(phc.New(nil)) || len(d.String()) != len(phc.New(nil).String()) {
		t.Errorf("%s is none", d)
	}
	if d.IsZero() || d.Matches(nil) || d.String() == phc.Decoy().String() {
		t.Error("a decoy lets somebody in")
	}
}

func TestZeroHashMatchesNothing(t *testing.T) {
	if !(phc.Hash{}).IsZero() || phc.New(nil).IsZero() {
		t.Error("zero is not told from a hash")
	}
	if (phc.Hash{}).Matches(nil) || (phc.Hash{}).Matches([]byte("x")) {
		t.Error("the zero hash let somebody in")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "secret", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", strings.Replace(foreign, "argon2id", "argon2i", 1),
		strings.Replace(foreign, "v=19", "v=16", 1), strings.Replace(foreign, "m=65536", "m=4194304", 1),
		strings.Replace(foreign, "m=65536", "m=1024", 1), strings.Replace(foreign, "t=2", "t=0", 1), strings.Replace(foreign, "t=2", "t=11", 1),
		strings.Replace(foreign, "p=1", "p=0", 1), strings.Replace(foreign, "p=1", "p=256", 1), strings.Replace(foreign, "p=1", "p=1,x=2", 1),
		strings.Replace(foreign, "m=65536", "m= 65536", 1), strings.Replace(foreign, "m=65536", "m=065536", 1),
		strings.Replace(foreign, "c29tZXNhbHQ", "c29t", 1), foreign + "=", foreign + "\n", foreign[:len(foreign)-24],
	} {
		if _, err := phc.Parse(text); !errors.Is(err, phc.ErrForm) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(foreign)
	f.Add("$argon2id$v=19$m=-1,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := phc.Parse(text); err == nil && h.String() != text {
			t.Errorf("%q became %q", text, h.String())
		}
	})
}
