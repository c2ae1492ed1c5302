package escpos

// Query is what DLE EOT asks for.
type Query byte

// The queries.
const (
	QueryPrinter Query = 1
	QueryOffline Query = 2 // why it is offline
	QueryError   Query = 3 // what the error is
	QueryPaper   Query = 4
)

// Request is the real-time question: obeyed at once, even offline and with a full buffer.
func (q Query) Request() []byte { return []byte{dle, 0x04, byte(q)} }

// AutoStatusRequest turns automatic status back on for online/offline, errors and paper, or off (GS a). The cash drawer is
// left out: its line is high or low as the wiring has it.
func AutoStatusRequest(on bool) []byte {
	if on {
		return []byte{gs, 'a', 0x0E}
	}
	return []byte{gs, 'a', 0}
}

// RecoverRequest asks a printer that stopped with an error, such as a jammed cutter, to forget what it holds and to go on (DLE ENQ 2).
// Only a person knows whether the jam is gone.
func RecoverRequest() []byte { return []byte{dle, 0x05, 2} }

// Status is everything a printer tells about itself. Which fields a reply carries depends on the reply.
type Status struct {
	Offline       bool // DLE EOT 1, ASB
	Waiting       bool // waits to go online again: DLE EOT 1, ASB
	FeedButton    bool // feed button held: DLE EOT 1, ASB
	DrawerHigh    bool // level of the drawer connector's pin 3: DLE EOT 1, ASB
	CoverOpen     bool // DLE EOT 2, ASB
	FedByButton   bool // paper is being fed by the button: DLE EOT 2, ASB
	PaperStop     bool // stopped because the paper ended: DLE EOT 2
	Error         bool // an error that QueryError explains: DLE EOT 2
	Recoverable   bool // model-specific error that can be cleared: DLE EOT 3, ASB
	Cutter        bool // cutter jammed: DLE EOT 3, ASB
	Unrecoverable bool // DLE EOT 3, ASB
	AutoRecover   bool // head too hot or cover opened while printing; goes by itself: DLE EOT 3, ASB
	NearEnd       bool // roll nearly used up: DLE EOT 4, ASB, GS r
	PaperEnd      bool // DLE EOT 4, ASB, GS r
}

// bit is one flag of Status in one byte of a reply; two-bit flags have both bits set.
type bit struct {
	mask byte
	flag *bool
}

// The fixed bits of a DLE EOT reply, 0xx1xx10.
const (
	replyMask  = 0x93
	replyFixed = 0x12
)

// bits is the meaning of a DLE EOT reply's bits.
func (s *Status) bits(q Query) []bit {
	switch q {
	case QueryPrinter:
		return []bit{{0x04, &s.DrawerHigh}, {0x08, &s.Offline}, {0x20, &s.Waiting}, {0x40, &s.FeedButton}}
	case QueryOffline:
		return []bit{{0x04, &s.CoverOpen}, {0x08, &s.FedByButton}, {0x20, &s.PaperStop}, {0x40, &s.Error}}
	case QueryError:
		return []bit{{0x04, &s.Recoverable}, {0x08, &s.Cutter}, {0x20, &s.Unrecoverable}, {0x40, &s.AutoRecover}}
	case QueryPaper:
		return []bit{{0x0C, &s.NearEnd}, {0x60, &s.PaperEnd}}
	}
	return nil
}

// asbBits is the meaning of the bits of automatic status, byte by byte; the fourth byte has none.
func (s *Status) asbBits() [3][]bit {
	return [3][]bit{
		{{0x04, &s.DrawerHigh}, {0x08, &s.Offline}, {0x20, &s.CoverOpen}, {0x40, &s.FedByButton}},
		{{0x01, &s.Waiting}, {0x02, &s.FeedButton}, {0x04, &s.Recoverable}, {0x08, &s.Cutter},
			{0x20, &s.Unrecoverable}, {0x40, &s.AutoRecover}},
		s.paperBits(),
	}
}

// paperBits are those of GS r and of the third byte of automatic status.
func (s *Status) paperBits() []bit { return []bit{{0x03, &s.NearEnd}, {0x0C, &s.PaperEnd}} }

func (b bit) read(from byte) { *b.flag = from&b.mask != 0 }

func pack(fixed byte, bits []bit) byte {
	for _, b := range bits {
		if *b.flag {
			fixed |= b.mask
		}
	}
	return fixed
}

// SetReply takes the answer to a query into s; it reports false, and changes nothing, if b is no such answer.
func (s *Status) SetReply(q Query, b byte) bool {
	bits := s.bits(q)
	if bits == nil || b&replyMask != replyFixed {
		return false
	}
	for _, f := range bits {
		f.read(b)
	}
	return true
}

// Reply is the byte a printer in this state answers to a query.
func (s Status) Reply(q Query) byte { return pack(replyFixed, s.bits(q)) }

// SetASB takes four bytes of automatic status into s; it reports false, and changes nothing, if they are none. PaperStop and
// Error, which automatic status lacks, follow from the other flags.
func (s *Status) SetASB(b [4]byte) bool {
	if b[0]&replyMask != 0x10 || (b[1]|b[2]|b[3])&0x90 != 0 {
		return false
	}
	for i, bits := range s.asbBits() {
		for _, f := range bits {
			f.read(b[i])
		}
	}
	s.PaperStop = s.PaperEnd
	s.Error = s.Recoverable || s.Cutter || s.Unrecoverable || s.AutoRecover
	return true
}

// ASB is the automatic status a printer in this state sends. The last byte has no meaning; 0x0F is what printers send.
func (s Status) ASB() [4]byte {
	bits := s.asbBits()
	return [4]byte{pack(0x10, bits[0]), pack(0, bits[1]), pack(0, bits[2]), 0x0F}
}

// SetPaperReply takes the answer to GS r 1 into s; it reports false, and changes nothing, if b is no such answer.
func (s *Status) SetPaperReply(b byte) bool {
	if b&0x90 != 0 {
		return false
	}
	for _, f := range s.paperBits() {
		f.read(b)
	}
	return true
}

// PaperReply is the byte a printer in this state answers to GS r 1.
func (s Status) PaperReply() byte { return pack(0, s.paperBits()) }
