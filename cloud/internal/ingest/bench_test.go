package ingest_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"halledge/agent/kit/chain"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/firmware-protocols/hallsync"
)

// BenchmarkIngest has 64 halls send batches of ten facts at once, each waiting for its acknowledgement; it reports facts per second, in the
// clear as well as sealed and chained, with a checkpoint in every 25th batch.
func BenchmarkIngest(b *testing.B) {
	b.Run("clear", func(b *testing.B) { ingestAtOnce(b, false) })
	b.Run("sealed", func(b *testing.B) { ingestAtOnce(b, true) })
}

func ingestAtOnce(b *testing.B, seal bool) {
	const size = 10
	st := newStore(b)
	v := openVault(b, filepath.Join(b.TempDir(), "vault"))
	signer := sealedtest.New(b, nil, hall, epoch, start)
	in := withVault(st, v, signer.Signers)
	var halls atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		box := sealedtest.New(b, v.Keys().Open, hallsync.HallID(fmt.Sprintf("4409%011d", halls.Add(1))), epoch, start)
		box.Signer = signer.Signer
		if seal {
			box.Begin(chain.First, chain.Point{})
			box.NewKey("2026-11-23", false)
		}
		for n, sent := 1, 0; pb.Next(); n += size / 2 {
			for i := range size / 2 {
				box.Add(taken(n + i))
				box.Add(called(n+i, "1"))
			}
			if seal && n/(size/2)%25 == 0 {
				box.Checkpoint()
			}
			if _, err := in.Ingest(b.Context(), box.Hall, box.Batch(sent)); err != nil {
				b.Error(err)
				return
			}
			sent = len(box.Raw)
		}
	})
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "facts/s")
}
