package syn6288

import (
	"errors"
	"fmt"
	"strings"

	"halledge/firmware-protocols/internal/speech"
)

// maxMusic is the highest number of a background music.
const maxMusic = 15

// Tag is a setting inside a text. It holds until another changes it.
type Tag string

// Volume sets the loudness, 0 to 16; the module starts with 10.
func Volume(n int) Tag { return tag("v", n, 16) }

// Music sets the loudness of the background music, 0 to 16.
func Music(n int) Tag { return tag("m", n, 16) }

// Speed sets how fast is spoken, 0 to 5; the module starts with 4.
func Speed(n int) Tag { return tag("t", n, 5) }

func tag(name string, n, highest int) Tag {
	return Tag(fmt.Sprintf("[%s%d]", name, min(max(n, 0), highest)))
}

// Speech is what CmdSpeak says: tags, then a text. Square brackets and control characters in the text are replaced, so that no
// text can smuggle tags in.
type Speech struct {
	Encoding   Encoding
	Background int // number of the background music, 0 for none, to 15
	Tags       []Tag
	Text       string
}

// Frame gives the one frame of a speech, ErrLong when it needs more.
func (s Speech) Frame() (Frame, error) {
	if s.Background < 0 || s.Background > maxMusic {
		return Frame{}, fmt.Errorf("syn6288: no background music %d", s.Background)
	}
	text := append(s.tags(), speech.Encode(speech.Plain(s.Text), s.Encoding, speech.BigEndian)...)
	if len(text) > MaxText {
		return Frame{}, fmt.Errorf("%w: a text of %d bytes", ErrLong, len(text))
	}
	return Frame{Command: CmdSpeak, Data: append([]byte{byte(s.Encoding) | byte(s.Background)<<3}, text...)}, nil
}

// Split gives s in as many speeches as it needs, cut behind punctuation marks.
func (s Speech) Split() []Speech {
	var out []Speech
	for _, piece := range speech.Split(speech.Plain(s.Text), MaxText-len(s.tags()), s.Encoding) {
		part := s
		part.Text = piece
		out = append(out, part)
	}
	return out
}

func (s Speech) tags() []byte {
	var all strings.Builder
	for _, t := range s.Tags {
		all.WriteString(string(t))
	}
	return speech.Encode(all.String(), s.Encoding, speech.BigEndian)
}

var errNoSpeech = errors.New("syn6288: no speech")

// ParseSpeech reads a frame of CmdSpeak.
func ParseSpeech(f Frame) (Speech, error) {
	if f.Command != CmdSpeak || len(f.Data) < 2 {
		return Speech{}, errNoSpeech
	}
	s := Speech{Encoding: Encoding(f.Data[0] & 7), Background: int(f.Data[0] >> 3)}
	if s.Background > maxMusic || s.Encoding != GB2312 && s.Encoding != GBK && s.Encoding != Unicode {
		return Speech{}, errNoSpeech
	}
	tags, text := speech.CutTags(speech.Decode(f.Data[1:], s.Encoding, speech.BigEndian))
	for _, t := range tags {
		s.Tags = append(s.Tags, Tag(t))
	}
	s.Text = text
	return s, nil
}
