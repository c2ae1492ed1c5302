package tlcp

import (
	"errors"
	"io"
	"net"
	"runtime"
)

// Records and handshake messages (GB/T 38636 §6.3.2, §6.4.5).
const (
	recordChange    = 20
	recordAlert     = 21
	recordHandshake = 22

	clientHello        = 1
	serverHello        = 2
	certificates       = 11
	serverKeyExchange  = 12
	certificateRequest = 13
	serverHelloDone    = 14
	certificateVerify  = 15
	clientKeyExchange  = 16

	maxRecord  = 1<<14 + 1<<11
	maxMessage = 1 << 15
	version    = 1 // each of the two bytes of the version, which is 1.1
)

// What each end has to send, in this order, before it encrypts. The library lets a server leave out serverKeyExchange, which alone
// proves that it holds its signing key: whoever has the key that decrypts, which its issuer may keep, could stand in for it. A server of
// ours always asks for a certificate and so must theirs.
const (
	fromClient = string(rune(clientHello)) + string(rune(certificates)) + string(rune(clientKeyExchange)) + string(rune(certificateVerify))
	fromServer = string(rune(serverHello)) + string(rune(certificates)) + string(rune(serverKeyExchange)) +
		string(rune(certificateRequest)) + string(rune(serverHelloDone))
)

// wire is the connection below the library. During the handshake it looks at every byte that comes before the library does, and ends
// the handshake for all that no handshake has at that place, for every alert and for every failure of the connection.
//
// It ends it by ending the goroutine: the library prints an error that its handshake returns, and a log that anybody can fill with
// lines is of no use. So its handshake never returns one. Only the goroutine of the handshake may use a wire until it is open.
type wire struct {
	net.Conn
	open bool  // the handshake is done: everything passes
	why  error // it ended

	expected  string // the messages still to come
	encrypted bool   // after the peer's ChangeCipherSpec
	finished  bool   // its Finished is here

	head  header // of the record
	left  int    // bytes of the record still to come
	alert [2]byte
	given int // bytes of the alert

	message     header // of the handshake message
	messageLeft int
	offset      int // in the message
}

// header collects the first bytes of something that may come in pieces.
type header struct {
	b [5]byte
	n int
}

// take fills the header up to size and gives what is left over; whole is true once it is full.
func (h *header) take(b []byte, size int) (rest []byte, whole bool) {
	n := copy(h.b[h.n:size], b)
	h.n += n
	return b[n:], h.n == size
}

// Read implements net.Conn. A connection that ends without the protocol's own end is cut, and never io.EOF.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if w.open {
		return n, err
	}
	w.records(p[:n])
	if err != nil {
		w.end(err)
	}
	return n, nil
}

// Write implements net.Conn. What the library writes are whole records.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if w.open {
		return n, err
	}
	if err != nil {
		w.end(err)
	}
	for b := p; len(b) >= 5; {
		if b[0] == recordAlert {
			w.end(errRefused)
		}
		b = b[min(len(b), 5+int(b[3])<<8+int(b[4])):]
	}
	return n, nil
}

// blame keeps the first reason why the handshake ends.
func (w *wire) blame(err error) {
	if w.why == nil {
		w.why = err
	}
}

func (w *wire) end(err error) {
	w.blame(err)
	runtime.Goexit()
}

func (w *wire) records(b []byte) {
	for len(b) > 0 {
		if w.left == 0 {
			var whole bool
			if b, whole = w.head.take(b, 5); !whole {
				return
			}
			w.record()
			continue
		}
		n := min(w.left, len(b))
		w.left -= n
		w.body(b[:n])
		if b = b[n:]; w.left == 0 {
			w.head.n = 0
		}
	}
}

// record looks at the head of the next one.
func (w *wire) record() {
	kind := w.head.b[0]
	w.left = int(w.head.b[3])<<8 | int(w.head.b[4])
	switch {
	case w.left == 0 || w.left > maxRecord || kind < recordChange:
		w.end(ErrHostile)
	case w.finished: // what comes now is the library's: data
	case w.encrypted && kind == recordAlert:
		w.end(errRefused)
	case w.encrypted && kind == recordHandshake:
		w.finished = true
	case w.encrypted || kind > recordHandshake:
		w.end(ErrHostile)
	}
}

func (w *wire) body(b []byte) {
	switch {
	case w.encrypted:
	case w.head.b[0] == recordChange:
		if w.expected != "" || w.message.n != 0 {
			w.end(ErrHostile)
		}
		w.encrypted = true
	case w.head.b[0] == recordAlert:
		w.given += copy(w.alert[w.given:], b)
		if w.given == len(w.alert) {
			w.end(AlertError(w.alert[1]))
		}
	default:
		w.messages(b)
	}
}

func (w *wire) messages(b []byte) {
	for len(b) > 0 {
		if w.message.n < 4 {
			var whole bool
			if b, whole = w.message.take(b, 4); !whole {
				return
			}
			w.begin()
		}
		n := min(w.messageLeft, len(b))
		for i := 0; i < n && w.offset < 2; i++ {
			w.first(b[i])
			w.offset++
		}
		w.messageLeft -= n
		if b = b[n:]; w.messageLeft == 0 {
			w.message.n = 0
		}
	}
}

// begin looks at the head of the next message.
func (w *wire) begin() {
	kind := w.message.b[0]
	if w.expected == "" || kind != w.expected[0] {
		w.end(ErrHostile)
	}
	w.expected = w.expected[1:]
	w.messageLeft = int(w.message.b[1])<<16 | int(w.message.b[2])<<8 | int(w.message.b[3])
	w.offset = 0
	if w.messageLeft > maxMessage || w.messageLeft < 2 && kind != serverHelloDone {
		w.end(ErrHostile)
	}
}

// first looks at one of the first two bytes of a message: those of a hello are the version, and there is no other.
func (w *wire) first(b byte) {
	if kind := w.message.b[0]; (kind == clientHello || kind == serverHello) && b != version {
		w.end(ErrHostile)
	}
}

// shake runs the library's handshake to its end and gives why it failed.
func (w *wire) shake(handshake func() error) error {
	done := make(chan error)
	go func() {
		err := errRefused
		defer func() {
			if recover() != nil {
				w.blame(ErrHostile)
			}
			if w.why != nil {
				err = w.why
			}
			done <- err
		}()
		err = handshake()
	}()
	err := <-done
	w.open = err == nil
	return err
}
