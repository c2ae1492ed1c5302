package sdtreader

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
)

// wire is one end of a line in memory.
type wire struct{ net.Conn }

func (wire) Drain(context.Context) error { return nil }
func (wire) PortStatus() (transport.PortStatus, error) {
	return transport.PortStatus{}, errors.ErrUnsupported
}

// sent is what the reader sends some time after a command.
type sent struct {
	after time.Duration
	bytes []byte
}

// wired gives a driver and a line to a reader that sends for each command what play says, in the time of a bubble.
func wired(t *testing.T, play map[sdt.Command][]sent) (*Reader, transport.Conn) {
	t.Helper()
	d, err := New(registry.Config{Name: "kiosk-1.idcard", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	host, far := net.Pipe()
	t.Cleanup(func() { _ = errors.Join(host.Close(), far.Close()) })
	go func() {
		var requests sdt.RequestDecoder
		buf := make([]byte, 64)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			requests.Push(buf[:n])
			for q, ok := requests.Next(); ok; q, ok = requests.Next() {
				for _, s := range play[q.Command] {
					time.AfterFunc(s.after, func() { _, _ = far.Write(s.bytes) }) // fails when the test is over
				}
			}
		}
	}()
	return d.(*Reader), wire{host}
}

func reply(t *testing.T, s sdt.Status, data []byte) []byte {
	t.Helper()
	frame, err := sdt.AppendReply(nil, s, data)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func cardOf(t *testing.T, c sdt.Card) []byte {
	t.Helper()
	data, err := sdt.CardData(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reply(t, sdt.StatusOK, data)
}

func TestStrayBytesDoNotShortenTheWaitForACard(t *testing.T) {
	for name, stray := range map[string]string{
		"noise": "\x00\xFF", "half a preamble": "\xAA\xAA\xAA", "our own request": string(sdt.AppendRequest(nil, sdt.CmdReadCard)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, conn := wired(t, map[sdt.Command][]sent{sdt.CmdReadCard: {{0, []byte(stray)}, {2 * time.Second, cardOf(t, zhang())}}})
				got, err := r.exchange(conn, sdt.CmdReadCard, readIn)
				if err != nil {
					t.Fatal(err)
				}
				if card, err := got.Card(); err != nil || card.Name.Reveal() != "张三" {
					t.Errorf("got %v, %v", card.Name.Reveal(), err)
				}
			})
		})
	}
}

func TestAnswerThatBreaksOffIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := cardOf(t, zhang())
		broken = broken[:len(broken)-1]
		r, conn := wired(t, map[sdt.Command][]sent{
			sdt.CmdReadCard: {{time.Second, broken}}, sdt.CmdFind: {{0, reply(t, sdt.StatusFound, make([]byte, 4))}},
		})
		began := time.Now()
		if _, err := r.exchange(conn, sdt.CmdReadCard, readIn); !errors.Is(err, session.ErrNonsense) {
			t.Errorf("got %v", err)
		}
		if found, err := r.find(conn); !found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		if took, most := time.Since(began), time.Second+brokenIn+quietFor; took > most {
			t.Errorf("the next command had to wait for %s, want %s", took, most)
		}
	})
}

// The answer about one person must never be taken for the answer about the next one.
func TestLateAnswerIsNotTheNextOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		play := map[sdt.Command][]sent{sdt.CmdReadCard: {{0, []byte{0}}, {time.Second, cardOf(t, zhang())}}}
		r, conn := wired(t, play)
		cut := turn{conn, time.Now().Add(100 * time.Millisecond)}
		if _, err := r.exchange(cut, sdt.CmdReadCard, readIn); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		if _, err := r.exchange(cut, sdt.CmdReadCard, readIn); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v of a turn that was over", err)
		}
		play[sdt.CmdReadCard] = []sent{{time.Second, cardOf(t, li())}}
		got, err := r.exchange(conn, sdt.CmdReadCard, readIn)
		if err != nil {
			t.Fatal(err)
		}
		if card, err := got.Card(); err != nil || card.Name.Reveal() != "李四" {
			t.Errorf("got %s, %v", card.Name.Reveal(), err)
		}
	})
}

// turn is a line in a turn that is over at a time, as the session makes one.
type turn struct {
	transport.Conn
	over time.Time
}

func (l turn) SetDeadline(at time.Time) error     { return l.Conn.SetDeadline(l.first(at)) }
func (l turn) SetReadDeadline(at time.Time) error { return l.Conn.SetReadDeadline(l.first(at)) }

func (l turn) first(at time.Time) time.Time {
	if l.over.Before(at) {
		return l.over
	}
	return at
}

func TestAnswerOfAnotherCommandFindsNoCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		play := map[sdt.Command][]sent{
			sdt.CmdFind: {{0, cardOf(t, zhang())}, {100 * time.Millisecond, reply(t, sdt.StatusFound, make([]byte, 4))}},
		}
		r, conn := wired(t, play)
		found, err := r.find(conn)
		var de *device.Error
		if found || !errors.As(err, &de) || de.Code != device.CodeBadReply {
			t.Errorf("found %v, %v", found, err)
		}
		play[sdt.CmdFind] = []sent{{0, reply(t, sdt.StatusNoCard, nil)}}
		if found, err := r.find(conn); found || err != nil {
			t.Errorf("found %v, %v; it is the answer to the question before", found, err)
		}
	})
}
