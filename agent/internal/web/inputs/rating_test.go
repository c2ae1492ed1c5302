package inputs

import "testing"

func TestAWindowWantsACitizenAskedOnceMore(t *testing.T) {
	d := New()
	if d.AskToRate("1", "t1") {
		t.Error("asked where nobody hears of it")
	}
	wishes := d.Wishes("1")
	dirty, cancel := wishes.Watch()
	defer cancel()
	if n, id := wishes.Newest(); n != 0 || id != "" {
		t.Errorf("before any wish: %d, %q", n, id)
	}
	var last uint64
	for range 2 {
		if !d.AskToRate("1", "t1") || d.AskToRate("2", "t2") {
			t.Error("the wrong window hears of it")
		}
		n, id := wishes.Newest()
		if n <= last || id != "t1" {
			t.Errorf("after a wish: %d, %q", n, id)
		}
		last = n
		select {
		case <-dirty:
		default:
			t.Error("nobody was told")
		}
	}
}
