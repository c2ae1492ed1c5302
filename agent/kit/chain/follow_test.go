package chain_test

import (
	"errors"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
)

// Who follows a chain comes to the same heads as its writer, with the key to the same codes, whatever was erased on the way.
func TestFollow(t *testing.T) {
	k := chain.NewKey()
	start := chain.Start{Log: "log", First: 5, At: time.UnixMilli(1), Why: chain.First, Key: k.ID()}
	writer, err := chain.Begin(start, k)
	if err != nil {
		t.Fatal(err)
	}
	with, without := chain.Follow(start.Point(), k), chain.Follow(start.Point(), chain.Key{})
	for n := uint64(5); n < 12; n++ {
		e := chain.Entry{Number: n, Clear: []byte{byte(n)}, Body: []byte("body")}
		link, err := writer.Append(e)
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			erased := chain.Erasure{Hash: gm.Sum(e.Body), Order: "order"}
			e.Body, e.Erased = nil, &erased
		}
		if got, err := with.Copy(e); err != nil || got != link {
			t.Errorf("entry %d with the key: %v, %v", n, got, err)
		}
		if got, err := without.Copy(e); err != nil || got.Head != link.Head || got.MAC != (chain.Digest{}) {
			t.Errorf("entry %d without the key: %v, %v", n, got, err)
		}
	}
	if with.Point() != writer.Point() || without.Point() != writer.Point() {
		t.Error("at other places")
	}
	later, err := k.Forward(7)
	if err != nil {
		t.Fatal(err)
	}
	resumed, next := chain.Follow(writer.Point(), later), chain.Entry{Number: 12}
	link, err := writer.Append(next)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := resumed.Copy(next); err != nil || got != link {
		t.Errorf("after resuming: %v, %v", got, err)
	}
	if _, err := resumed.Copy(next); !errors.Is(err, chain.ErrOrder) {
		t.Errorf("an entry twice: %v", err)
	}
}
