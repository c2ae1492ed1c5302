package chain_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
)

// An entry of the usual length, beside the SM3 digest that it cannot do without, and beside the disk's word that it lies there, of which
// a command needs two: what the chain costs is a small part of that.

func usual(b *testing.B) chain.Entry {
	body := make([]byte, 300)
	if _, err := rand.Read(body); err != nil {
		b.Fatal(err)
	}
	return chain.Entry{Number: 1, Clear: entry(1).Clear, Body: body}
}

func BenchmarkEntry(b *testing.B) {
	e := usual(b)
	b.Run("SM3", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			gm.Sum(e.Body)
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		_, _, s := begun(b)
		for e.Number = 1; b.Loop(); e.Number++ {
			if _, err := s.Append(e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append and store", func(b *testing.B) {
		b.ReportAllocs()
		_, _, s := begun(b)
		for e.Number = 1; b.Loop(); e.Number++ {
			next := s.Clone()
			link, err := next.Append(e)
			if err != nil || len(link.Bytes())+len(next.Bytes()) == 0 {
				b.Fatal(err)
			}
			s.Forget()
			s = next
		}
	})
	b.Run("fdatasync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "page"))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		page := make([]byte, 4096)
		for b.Loop() {
			page[0]++
			if _, err := f.WriteAt(page, 0); err != nil {
				b.Fatal(err)
			}
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckpoint(b *testing.B) {
	_, _, s := begun(b)
	key := newKey(b)
	for b.Loop() {
		if _, err := s.Checkpoint(noon).Sign(key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	const n = 1000
	h := newHall(b, n, chain.CheckpointEntries)
	for name, centre := range map[string]bool{"with the key": true, "without": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chain.Verify(h.log(centre)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
	}
}
