package xfs5152

import (
	"errors"
	"fmt"
	"strings"

	"halledge/firmware-protocols/internal/speech"
)

// Tag is a setting inside a text. It holds until another changes it.
type Tag string

// Volume sets the loudness, 0 to 10; the module starts with 5.
func Volume(n int) Tag { return tag("v", n) }

// Speed sets how fast is spoken, 0 to 10; the module starts with 5.
func Speed(n int) Tag { return tag("s", n) }

func tag(name string, n int) Tag { return Tag(fmt.Sprintf("[%s%d]", name, min(max(n, 0), 10))) }

// Speech is what CmdSpeak says: tags, then a text. Square brackets and control characters in the text are replaced, so that no
// text can smuggle tags in.
type Speech struct {
	Encoding Encoding
	Tags     []Tag
	Text     string
}

// Frame gives the one frame of a speech, ErrLong when it needs more.
func (s Speech) Frame() (Frame, error) {
	text := append(s.tags(), speech.Encode(speech.Plain(s.Text), s.Encoding, speech.LittleEndian)...)
	if len(text) > MaxText {
		return Frame{}, fmt.Errorf("%w: a text of %d bytes", ErrLong, len(text))
	}
	return Frame{Command: CmdSpeak, Data: append([]byte{byte(s.Encoding)}, text...)}, nil
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
	return speech.Encode(all.String(), s.Encoding, speech.LittleEndian)
}

var errNoSpeech = errors.New("xfs5152: no speech")

// ParseSpeech reads a frame of CmdSpeak.
func ParseSpeech(f Frame) (Speech, error) {
	if f.Command != CmdSpeak || len(f.Data) < 2 {
		return Speech{}, errNoSpeech
	}
	s := Speech{Encoding: Encoding(f.Data[0])}
	if s.Encoding != GB2312 && s.Encoding != GBK && s.Encoding != Unicode {
		return Speech{}, errNoSpeech
	}
	tags, text := speech.CutTags(speech.Decode(f.Data[1:], s.Encoding, speech.LittleEndian))
	for _, t := range tags {
		s.Tags = append(s.Tags, Tag(t))
	}
	s.Text = text
	return s, nil
}
