package store_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"halledge/agent/internal/store"
	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// ticketTaken is a fact of the usual length.
var ticketTaken = hallsync.TicketTaken{
	Ticket: "0198f3a0-0000-7000-8000-000000000001", Number: "A001", Queue: "A", Class: hallsync.Normal, Channel: hallsync.AtKiosk,
	BusinessDay: "2026-03-02", FlowNo: "4409000000000012026030200001", Person: strings.Repeat("0", 32),
}

// What a command of one fact and its answer costs until it is durable, in the clear, and sealed and chained, beside the two words of the disk
// that it cannot do without; and what it costs when the disk is not waited for, whose difference is the price of keys and chain.
func BenchmarkCommand(b *testing.B) {
	answer := []byte(strings.Repeat("x", 400))
	for name, waits := range map[string]bool{"clear": true, "sealed": true, "clear, not waited for": false, "sealed, not waited for": false} {
		b.Run(name, func(b *testing.B) {
			o := options().Committing(func(tx *bbolt.Tx) error {
				tx.DB().NoSync = !waits
				return tx.Commit()
			})
			if strings.HasPrefix(name, "sealed") {
				o.Keys = owner(b).keys
			}
			s, err := store.Open(b.TempDir(), o)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() { _ = s.Run(ctx) })
			n, began := 0, spent(b)
			for b.Loop() {
				n++
				err := s.Update(ctx, func(tx *store.Tx) error {
					_, err := tx.Append(ticketTaken, noon)
					tx.PutAnswer(store.AnswerKey{byte(n), byte(n >> 8), byte(n >> 16)}, store.Answer{Status: 201, Body: answer})
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((spent(b)-began).Nanoseconds())/float64(n), "cpu-ns/op")
			cancel()
			wg.Wait()
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.Run("disk", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "page"))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		page := make([]byte, 4096)
		for b.Loop() {
			for range 2 {
				page[0]++
				if _, err := f.WriteAt(page, 0); err != nil {
					b.Fatal(err)
				}
				if err := unix.Fdatasync(int(f.Fd())); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// spent is the processor's time of this program, which other programs on the machine disturb less than the wall clock's.
func spent(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// What of a sealed command is the chain, from the clone of its end to the bytes that are stored of it, and what is sealing: of the fact, the
// answer and the chain's end. Each stands beside what the same bytes cost at least: one digest, and the standard library's cipher.
func BenchmarkProtection(b *testing.B) {
	key := gm.NewDataKey()
	event, err := hallsync.NewEvent("991101000000001", "epoch", 1, noon, ticketTaken)
	if err != nil {
		b.Fatal(err)
	}
	plain, said := event.Payload, []byte(strings.Repeat("x", 400))
	if event, err = event.Seal(key); err != nil {
		b.Fatal(err)
	}
	end, _, err := track.Begin(chain.Start{Log: string(event.Hall), First: 1, At: noon, Why: chain.First}, nil)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			began := spent(b)
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((spent(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
	run("chain", func() error {
		next := end.Clone()
		link, err := next.Append(event)
		_, _ = link.Bytes(), next.Bytes()
		end.Forget()
		end, event.Seq = next, event.Seq+1
		return err
	})
	all := append(event.Clear(), event.Body()...)
	run("SM3", func() error { gm.Sum(all); return nil })
	parts := [][]byte{plain, said, end.Bytes()}
	run("seals", func() (err error) {
		for _, part := range parts {
			if _, err = key.Seal(part, "hall-edge/v1/store", string(event.Hall), "part"); err != nil {
				break
			}
		}
		return err
	})
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		b.Fatal(err)
	}
	run("AES", func() error {
		for _, part := range parts {
			aead.Seal(nil, nil, part, []byte(event.Hall))
		}
		return nil
	})
}
