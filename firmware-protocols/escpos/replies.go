package escpos

// ReplyKind is what a printer sent.
type ReplyKind uint8

// The kinds of replies. They share one stream and are told apart by their fixed bits.
const (
	StatusReply ReplyKind = iota + 1 // one byte for DLE EOT; which query it answers is the asker's knowledge
	AutoReply                        // four bytes of automatic status
	PaperReply                       // one byte for GS r 1
	Resume                           // XON: send on
	Pause                            // XOFF: buffer full, stop
)

// Reply is one thing a printer sent. Bytes[0] holds the byte of a one-byte reply.
type Reply struct {
	Kind  ReplyKind
	Bytes [4]byte
}

// ReplyReader splits what comes from a printer into replies. Bytes that belong to none are counted and dropped. The zero
// value is ready.
type ReplyReader struct {
	auto    [4]byte
	filled  int
	garbage uint64
}

// Garbage counts the bytes thrown away.
func (r *ReplyReader) Garbage() uint64 { return r.garbage }

// Feed takes the next bytes and gives the replies they complete.
func (r *ReplyReader) Feed(p []byte) []Reply {
	var out []Reply
	for _, b := range p {
		if r.filled > 0 {
			if b&0x90 == 0 {
				r.auto[r.filled] = b
				if r.filled++; r.filled == 4 {
					out = append(out, Reply{Kind: AutoReply, Bytes: r.auto})
					r.filled = 0
				}
				continue
			}
			r.garbage += uint64(r.filled) // a broken off automatic status
			r.filled = 0
		}
		switch {
		case b == 0x11:
			out = append(out, Reply{Kind: Resume, Bytes: [4]byte{b}})
		case b == 0x13:
			out = append(out, Reply{Kind: Pause, Bytes: [4]byte{b}})
		case b&replyMask == replyFixed:
			out = append(out, Reply{Kind: StatusReply, Bytes: [4]byte{b}})
		case b&replyMask == 0x10:
			r.auto[0], r.filled = b, 1
		case b&0x90 == 0:
			out = append(out, Reply{Kind: PaperReply, Bytes: [4]byte{b}})
		default:
			r.garbage++
		}
	}
	return out
}
