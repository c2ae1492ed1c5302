package voicemodule

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/syn6288"
	"halledge/firmware-protocols/xfs5152"
)

const (
	heldBack = 16 << 10              // more than any line buffers
	quietFor = 20 * time.Millisecond // silence after what came before a question
	lateFor  = 100 * time.Millisecond
)

// errRestarted means that the module lost its power in the middle of a speech.
var errRestarted = errors.New("the module has started again")

// dialect is what differs between the modules. Their status bytes are the same.
type dialect interface {
	// speak gives the frames of a text; volume and rate are percent.
	speak(text string, volume, rate int) ([]speech, error)
	stop() []byte
	query() []byte
}

// ask sends a frame and gives the answer, one of wanted.
func (m *Module) ask(conn transport.Conn, frame []byte, wanted ...syn6288.Status) (syn6288.Status, error) {
	quiet := quietFor
	if m.owed {
		quiet = lateFor
	}
	// What a module says unasked, such as the end of a speech that was interrupted, must not be taken for this answer.
	if _, err := transport.Discard(conn, heldBack, quiet); err != nil {
		return 0, err
	}
	if err := m.write(conn, frame); err != nil {
		return 0, err
	}
	m.owed = true
	got, err := m.await(conn, m.within, wanted...)
	m.owed = err != nil
	return got, err
}

// await reads until one of wanted comes. Other status bytes are passed over; bytes that are none are noise.
func (m *Module) await(conn transport.Conn, within time.Duration, wanted ...syn6288.Status) (syn6288.Status, error) {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return 0, err
	}
	noise := false
	var one [1]byte // the line may hold the next status already
	for {
		n, err := conn.Read(one[:])
		if n > 0 {
			switch got := syn6288.Status(one[0]); {
			case slices.Contains(wanted, got):
				return got, nil
			case got == syn6288.Ready && m.talking:
				m.talking = false
				return 0, &device.Error{Op: "say", Code: device.CodeBadReply, Retry: true, Err: errRestarted}
			case !got.Known():
				m.session.Garbage(1)
				noise = true
			}
		}
		if err != nil {
			return 0, session.Unanswered(err, noise)
		}
	}
}

// write sends a frame in one go: the longest takes a fifth of a second.
func (m *Module) write(conn transport.Conn, frame []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(m.within + time.Duration(len(frame))*2*time.Millisecond)); err != nil {
		return err
	}
	if _, err := conn.Write(frame); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// syn is the dialect of SYN6288.
type syn struct{}

func (syn) speak(text string, volume, rate int) ([]speech, error) {
	whole := syn6288.Speech{
		Encoding: syn6288.GBK, Text: text,
		// 4 of 5 is the usual speed; the loudest is 16.
		Tags: []syn6288.Tag{syn6288.Volume(max(1, volume*16/100)), syn6288.Music(0), syn6288.Speed(rate * 4 / 100)},
	}
	var out []speech
	for _, s := range whole.Split() {
		f, err := s.Frame()
		if err != nil {
			return nil, err
		}
		frame, err := syn6288.AppendFrame(nil, f)
		if err != nil {
			return nil, err
		}
		out = append(out, newSpeech(frame, s.Text, rate))
	}
	return out, nil
}

func (syn) stop() []byte {
	return bare(syn6288.AppendFrame(nil, syn6288.Frame{Command: syn6288.CmdStop}))
}
func (syn) query() []byte {
	return bare(syn6288.AppendFrame(nil, syn6288.Frame{Command: syn6288.CmdQuery}))
}

// xfs is the dialect of XFS5152.
type xfs struct{}

func (xfs) speak(text string, volume, rate int) ([]speech, error) {
	whole := xfs5152.Speech{
		Encoding: xfs5152.GBK, Text: text,
		// 5 of 10 is the usual speed; the loudest is 10.
		Tags: []xfs5152.Tag{xfs5152.Volume(max(1, volume/10)), xfs5152.Speed(rate * 5 / 100)},
	}
	var out []speech
	for _, s := range whole.Split() {
		f, err := s.Frame()
		if err != nil {
			return nil, err
		}
		frame, err := xfs5152.AppendFrame(nil, f)
		if err != nil {
			return nil, err
		}
		out = append(out, newSpeech(frame, s.Text, rate))
	}
	return out, nil
}

func (xfs) stop() []byte {
	return bare(xfs5152.AppendFrame(nil, xfs5152.Frame{Command: xfs5152.CmdStop}))
}
func (xfs) query() []byte {
	return bare(xfs5152.AppendFrame(nil, xfs5152.Frame{Command: xfs5152.CmdQuery}))
}

// bare gives a frame without data, which is never too long.
func bare(frame []byte, _ error) []byte { return frame }
