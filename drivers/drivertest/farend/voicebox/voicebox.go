// Package voicebox plays a speech module on a line: it takes frames of the real protocol, is busy as long as it would speak, and
// remembers what people would have heard.
package voicebox

import (
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/syn6288"
	"halledge/firmware-protocols/xfs5152"
)

// remembered is how many speeches a box keeps.
const remembered = 200

// Said is one speech.
type Said struct {
	Tags  string
	Text  string
	Ended bool // it was heard to its end: nothing interrupted it
}

// Box is one module. Protocol is syn6288 or xfs5152.
type Box struct {
	Protocol string
	PerRune  time.Duration // how long a character takes

	mu     sync.Mutex
	said   []Said
	reject int // speeches still to refuse
	lose   int // ends of speeches still to keep to itself
	begun  int // speeches begun, to tell a timer of an earlier one
	plug   *line
}

// Said gives what was said, oldest first.
func (b *Box) Said() []Said {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Said{}, b.said...)
}

// Texts gives the texts that were said.
func (b *Box) Texts() []string {
	var out []string
	for _, s := range b.Said() {
		out = append(out, s.Text)
	}
	return out
}

// Reject refuses the next n speeches.
func (b *Box) Reject(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reject = n
}

// Lose keeps the next n ends of speeches to itself, as a line does that loses a byte.
func (b *Box) Lose(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose = n
}

// Restart breaks off what is being said, as a dip of the power does.
func (b *Box) Restart() {
	b.mu.Lock()
	l := b.plug
	b.mu.Unlock()
	if l != nil {
		l.hush()
		l.say(syn6288.Ready)
	}
}

// line is a plugged-in cable: what writes to it, and the speech that goes on.
type line struct {
	box   *Box
	rw    io.ReadWriter
	write sync.Mutex
	timer *time.Timer // of the current speech; nil: silent
	ends  sync.WaitGroup
}

// Serve implements farend.Serve. The module stops to speak when its cable is pulled, as it has its power from there.
func (b *Box) Serve(rw io.ReadWriter) {
	l := &line{box: b, rw: rw}
	b.in(l)
	defer b.in(nil)
	defer l.ends.Wait()
	defer l.hush()
	l.say(syn6288.Ready)
	next := b.frames()
	farend.Converse(rw, func(b []byte) []byte {
		for _, c := range next(b) {
			l.obey(c)
		}
		return nil
	})
}

func (b *Box) in(l *line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plug = l
}

// order is what both protocols can say.
type order struct {
	command byte
	speech  *Said // nil: no speech, or none that can be read
}

// frames gives what turns bytes into orders.
func (b *Box) frames() func([]byte) []order {
	if b.Protocol == "xfs5152" {
		var d xfs5152.Decoder
		return func(in []byte) (out []order) {
			d.Push(in)
			for f, ok := d.Next(); ok; f, ok = d.Next() {
				o := order{command: byte(f.Command)}
				if s, err := xfs5152.ParseSpeech(f); err == nil {
					o.speech = &Said{Tags: joined(s.Tags), Text: s.Text}
				}
				out = append(out, o)
			}
			return out
		}
	}
	var d syn6288.Decoder
	return func(in []byte) (out []order) {
		d.Push(in)
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			o := order{command: byte(f.Command)}
			if s, err := syn6288.ParseSpeech(f); err == nil {
				o.speech = &Said{Tags: joined(s.Tags), Text: s.Text}
			}
			out = append(out, o)
		}
		return out
	}
}

func joined[T ~string](tags []T) (all string) {
	for _, t := range tags {
		all += string(t)
	}
	return all
}

// obey does what a frame wants; commands and status bytes of the two protocols are the same.
func (l *line) obey(o order) {
	switch syn6288.Command(o.command) {
	case syn6288.CmdSpeak:
		if o.speech == nil || l.box.refuses() {
			l.say(syn6288.Rejected)
			return
		}
		l.hush()
		l.say(syn6288.Accepted)
		l.speak(*o.speech)
	case syn6288.CmdStop:
		l.hush()
		l.say(syn6288.Accepted)
	case syn6288.CmdQuery:
		if l.busy() {
			l.say(syn6288.Speaking)
		} else {
			l.say(syn6288.Idle)
		}
	default:
		l.say(syn6288.Accepted)
	}
}

func (b *Box) refuses() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reject > 0 {
		b.reject--
		return true
	}
	return false
}

func (l *line) busy() bool {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	return l.timer != nil
}

// speak begins a speech; its end comes by itself.
func (l *line) speak(s Said) {
	b := l.box
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, s)
	if len(b.said) > remembered {
		b.said = b.said[1:]
	}
	b.begun++
	mine := b.begun
	l.ends.Add(1)
	l.timer = time.AfterFunc(time.Duration(utf8.RuneCountInString(s.Text))*b.PerRune, func() {
		defer l.ends.Done()
		if l.ended(mine) {
			l.say(syn6288.Idle)
		}
	})
}

// ended notes the end of a speech and reports whether it is to be said.
func (l *line) ended(speech int) bool {
	b := l.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.timer == nil || b.begun != speech {
		return false
	}
	l.timer = nil
	b.said[len(b.said)-1].Ended = true
	if b.lose > 0 {
		b.lose--
		return false
	}
	return true
}

// hush ends the current speech at once, and says nothing about it.
func (l *line) hush() {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	if l.timer != nil && l.timer.Stop() {
		l.ends.Done()
	}
	l.timer = nil
}

// say sends a status byte. A line that is gone ends Serve by its read.
func (l *line) say(s syn6288.Status) {
	l.write.Lock()
	defer l.write.Unlock()
	_, _ = l.rw.Write([]byte{byte(s)})
}
