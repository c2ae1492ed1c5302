package sdt

import (
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

// BenchmarkReplies cuts replies out of the stream, as they come from a reader that has no card and from one that reads a card. Beside
// it stands the least that has to be done: one pass over the same bytes for their check.
func BenchmarkReplies(b *testing.B) {
	for _, name := range []string{"rsp-find-none", "rsp-30-01-resident-zhangsan"} {
		frame := vectors.One(b, "sdt", name).Bytes
		b.Run(name, func(b *testing.B) {
			var d ReplyDecoder
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				d.Push(frame)
				if _, ok := d.Next(); !ok {
					b.Fatal("no reply")
				}
			}
		})
		b.Run(name+"/limit", func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if xor(frame[len(preamble):]) != 0 {
					b.Fatal("a wrong check")
				}
			}
		})
	}
}

// BenchmarkCard decodes the text of a card.
func BenchmarkCard(b *testing.B) {
	for _, name := range []string{"rsp-30-01-resident-zhangsan", "rsp-30-01-hmt-j", "rsp-30-01-foreigner-i", "rsp-30-01-foreigner-y"} {
		b.Run(name, func(b *testing.B) {
			var d ReplyDecoder
			d.Push(vectors.One(b, "sdt", name).Bytes)
			r, ok := d.Next()
			if !ok {
				b.Fatal("no reply")
			}
			b.SetBytes(textLen)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Card(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRequest encodes the question that is asked all day long.
func BenchmarkRequest(b *testing.B) {
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendRequest(buf[:0], CmdFind)
	}
	b.SetBytes(int64(len(buf)))
}
