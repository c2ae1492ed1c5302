// Package await gives tests a way to wait for what happens by itself.
package await

import (
	"testing"
	"time"
)

// patience is long: a test that fails for the load of its machine says nothing.
const patience = 30 * time.Second

// That asks again and again until ok says yes, and ends the test when it never does.
func That(t testing.TB, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
