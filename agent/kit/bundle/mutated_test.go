package bundle_test

import (
	"testing"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm/gmtest"
)

// Threat 17: a manifest of which anything was changed, or whose signature was, is nobody's.
func TestThreat17NoMutatedManifestIsTaken(t *testing.T) {
	k := key(t)
	raw, sig, err := bundle.Sign(manifest(files(t)), k)
	must(t, err)
	gmtest.Mutated(raw, gmtest.Mutations, func(m []byte) {
		if _, err := bundle.Open(m, sig, k.Public()); code(err) != bundle.CodeForged && code(err) != bundle.CodeForm {
			t.Errorf("%q is taken: %v", m, err)
		}
	})
	gmtest.Mutated(sig, gmtest.Mutations, func(m []byte) {
		if _, err := bundle.Open(raw, m, k.Public()); code(err) != bundle.CodeForged && code(err) != bundle.CodeForm {
			t.Errorf("%x is taken: %v", m, err)
		}
	})
}
