package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/relay/wire"
)

// pair is a TCP connection of this machine.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// The protocol library leaves the deadline of its last request on the connection. A stream must not die of it.
func TestSink_ignoresDeadlinesOfOthers(t *testing.T) {
	near, far := pair(t)
	defer far.Close()
	s := newSink(near)
	defer s.Close()
	if err := s.SetWriteDeadline(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.send([]byte("hello"), time.Now()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "hello" {
		t.Errorf("far end got %q, %v", got, err)
	}
}

// Whatever the socket takes at once, the far end gets every byte in order, requests never inside a frame.
func TestSink_keepsTheOrderWhenTheLineIsSlow(t *testing.T) {
	near, far := pair(t)
	defer far.Close()
	s := newSink(near)
	defer s.Close()
	var want bytes.Buffer
	frame := bytes.Repeat([]byte{'f'}, 3000)
	for i := 0; s.level(time.Now()) == wire.Room; i++ {
		b := frame
		if i%7 == 0 {
			b = []byte("TEARDOWN rtsp://node/cam RTSP/1.0\r\n\r\n")
			if _, err := s.Write(b); err != nil {
				t.Fatal(err)
			}
		} else if err := s.send(b, time.Now()); err != nil {
			t.Fatal(err)
		}
		want.Write(b)
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("the far end got other bytes than were sent")
	}
	until(t, "the queue is empty", func() bool { return s.waiting() == 0 })
	if l := s.level(time.Now()); l != wire.Room {
		t.Errorf("level %d after everything went out", l)
	}
}

func TestThreat03NobodyWaitsForMoreThanTheLimit(t *testing.T) {
	near, far := pair(t)
	defer far.Close()
	s := newSink(near)
	var err error
	sent := 0
	for chunk := make([]byte, 64<<10); err == nil && sent < 1<<30; sent += len(chunk) {
		err = s.send(chunk, time.Now())
	}
	if !errors.Is(err, errStuck) || s.waiting() > hardLimit {
		t.Errorf("after %d bytes: %v with %d waiting", sent, err, s.waiting())
	}
	closed := make(chan struct{})
	go func() { defer close(closed); _ = s.Close() }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("Close waits for a line that is stuck")
	}
	if err := s.send([]byte("x"), time.Now()); !errors.Is(err, errHungUp) {
		t.Errorf("send after Close: %v", err)
	}
}

// The tap faces the hall's network: whatever comes, it neither panics nor passes on anything but whole frames of its channels.
func FuzzTap(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"+media(0, 1, 2, 3)+media(1, 1, 2, 3)+"\r\n"+media(0, 2, 2, 9)), uint8(40), uint8(0))
	f.Add([]byte("$\x00\x00\x01a$\x01\x00\x08\x80\xc8\x00\x01\x00\x00\x00\x01"), uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece, codec uint8) {
		near, far := net.Pipe() // not a socket, so everything goes through the queue
		var got bytes.Buffer
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = io.Copy(&got, far) })
		fwd := &forward{codec: []string{wire.H264, wire.H265, wire.MJPEG}[codec%3]}
		sink := newSink(near)
		fwd.start(sink, 96, 4, time.Now())
		in, camera := net.Pipe()
		tap := newTap(in, &sync.Pool{New: func() any { return new([bufferSize]byte) }}, fwd)
		tap.tune(0)
		var writing sync.WaitGroup
		writing.Go(func() {
			defer camera.Close()
			for rest := stream; len(rest) > 0; {
				n := min(int(piece)+1, len(rest))
				if _, err := camera.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		})
		_, _ = io.Copy(io.Discard, tap)
		_ = tap.Close()
		writing.Wait()
		if sink.waiting() > 0 {
			until(t, "everything went out", func() bool { return sink.waiting() == 0 })
		}
		_ = sink.Close()
		_ = far.Close()
		reading.Wait()
		for b := got.Bytes(); len(b) > 0; {
			n, frame, err := wire.Next(b)
			if err != nil || n == 0 || !frame || (b[1] != 4 && b[1] != 5) {
				t.Fatalf("the node gets %.20q…, which is no whole frame of its channels", b)
			}
			b = b[n:]
		}
	})
}
