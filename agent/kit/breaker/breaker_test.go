package breaker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Breaker
		for i := range 2 * Failures { // too far apart to count
			if !b.Allow() {
				t.Fatalf("closed after %d", i)
			}
			b.Report(false)
			time.Sleep(Within / (Failures - 2))
		}
		time.Sleep(Within)
		for range Failures {
			b.Allow()
			b.Report(false)
		}
		if b.Allow() || !b.Open() {
			t.Fatal("five failures, and it lets pass")
		}
		time.Sleep(Rest)
		if !b.Allow() || b.Allow() {
			t.Fatal("one may try, no second")
		}
		b.Report(false)
		if b.Allow() {
			t.Fatal("the try failed, and it lets pass")
		}
		time.Sleep(Rest)
		if !b.Allow() {
			t.Fatal("none may try")
		}
		b.Report(true)
		for range 2 {
			if !b.Allow() || b.Open() {
				t.Fatal("the far end is there again")
			}
		}
	})
}
