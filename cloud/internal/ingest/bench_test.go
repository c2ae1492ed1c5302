package ingest_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"halledge/firmware-protocols/hallsync"
)

// BenchmarkIngest has 64 halls send batches of ten facts at once, each waiting for its acknowledgement; it reports facts per second.
func BenchmarkIngest(b *testing.B) {
	const size = 10
	st := newStore(b)
	in := newIngester(st)
	var halls atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		id := hallsync.HallID(fmt.Sprintf("4409%011d", halls.Add(1)))
		for seq := hallsync.Seq(1); pb.Next(); {
			var batch hallsync.Batch
			for range size / 2 {
				n := int(seq)
				batch.Events = append(batch.Events, fact(b, id, epoch, seq, taken(n)), fact(b, id, epoch, seq+1, called(n, "1")))
				seq += 2
			}
			if _, err := in.Ingest(b.Context(), id, encode(b, batch)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "facts/s")
}
