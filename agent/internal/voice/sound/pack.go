package sound

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a pack.
const (
	manifestName  = "pack.json"
	maxManifest   = 256 << 10
	maxClips      = 1000
	maxClipFile   = 4 << 20
	maxPack       = 64 << 20 // all clips, in bytes of samples
	maxPhrase     = 40       // characters
	maxGap        = 2000     // milliseconds
	maxSaid       = 200      // characters of one sentence
	defaultGapMS  = 0
	defaultRestMS = 180
)

// manifest is pack.json.
type manifest struct {
	Language string            `json:"language"` // zh-CN or zh-yue
	Clips    map[string]string `json:"clips"`    // what is said → file beside the manifest
	Chime    string            `json:"chime"`    // file played before a sentence; may be missing
	GapMS    *int              `json:"gap_ms"`   // silence between two clips
	RestMS   *int              `json:"rest_ms"`  // silence for a comma
}

// Pack is a set of recorded clips that sentences are joined from.
type Pack struct {
	Language string

	rate      int
	clips     map[string]Clip
	longest   int // characters of the longest phrase
	chime     Clip
	gap, rest int // samples
}

// UnknownError names the first part of a sentence that a pack has no clip for.
type UnknownError struct{ Text string }

func (e *UnknownError) Error() string { return fmt.Sprintf("no clip for %q", e.Text) }

// LoadPack reads pack.json and all the clips it names. All clips must have the same rate.
func LoadPack(fsys fs.FS) (*Pack, error) {
	raw, err := readFile(fsys, manifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	var m manifest
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Language != "zh-CN" && m.Language != "zh-yue" {
		return nil, fmt.Errorf("%s: language %q: must be zh-CN or zh-yue", manifestName, m.Language)
	}
	if len(m.Clips) == 0 || len(m.Clips) > maxClips {
		return nil, fmt.Errorf("%s: %d clips, must be 1 to %d", manifestName, len(m.Clips), maxClips)
	}
	p := &Pack{Language: m.Language, clips: make(map[string]Clip, len(m.Clips))}
	total := 0
	for phrase, file := range m.Clips {
		n := utf8.RuneCountInString(phrase)
		if n == 0 || n > maxPhrase {
			return nil, fmt.Errorf("%s: a phrase of %d characters", manifestName, n)
		}
		c, err := p.load(fsys, file, &total)
		if err != nil {
			return nil, err
		}
		p.clips[phrase], p.longest = c, max(p.longest, n)
	}
	if m.Chime != "" {
		if p.chime, err = p.load(fsys, m.Chime, &total); err != nil {
			return nil, err
		}
	}
	gap, gapErr := p.silence(m.GapMS, defaultGapMS)
	rest, restErr := p.silence(m.RestMS, defaultRestMS)
	p.gap, p.rest = gap, rest
	return p, errors.Join(gapErr, restErr)
}

func (p *Pack) silence(ms *int, otherwise int) (samples int, err error) {
	if ms != nil {
		otherwise = *ms
	}
	if otherwise < 0 || otherwise > maxGap {
		return 0, fmt.Errorf("%s: a silence of %d ms", manifestName, otherwise)
	}
	return otherwise * p.rate / 1000, nil
}

func (p *Pack) load(fsys fs.FS, file string, total *int) (Clip, error) {
	raw, err := readFile(fsys, file, maxClipFile)
	if err != nil {
		return Clip{}, err
	}
	c, err := ParseWAV(raw)
	if err != nil {
		return Clip{}, fmt.Errorf("%s: %w", file, err)
	}
	if p.rate == 0 {
		p.rate = c.Rate
	}
	*total += bytesEach * len(c.Samples)
	switch {
	case c.Rate != p.rate:
		return Clip{}, fmt.Errorf("%s: %d Hz, other clips have %d", file, c.Rate, p.rate)
	case *total > maxPack:
		return Clip{}, fmt.Errorf("%s: the clips take more than %d MiB together", file, maxPack>>20)
	}
	return c, nil
}

func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case int64(len(raw)) > limit:
		return nil, fmt.Errorf("%s: longer than %d bytes", name, limit)
	}
	return raw, nil
}

// Say joins the clips of a sentence: at each place the longest phrase that fits, a rest for each punctuation mark, nothing for a
// space. It fails with *UnknownError.
func (p *Pack) Say(text string) (Clip, error) {
	rest := []rune(text)
	if len(rest) > maxSaid {
		return Clip{}, &UnknownError{Text: string(rest[:maxSaid])}
	}
	out := Clip{Rate: p.rate, Samples: slices.Clone(p.chime.Samples)}
	for len(rest) > 0 {
		switch {
		case unicode.IsSpace(rest[0]):
			rest = rest[1:]
			continue
		case unicode.IsPunct(rest[0]):
			out.Samples = append(out.Samples, make([]int16, p.rest)...)
			rest = rest[1:]
			continue
		}
		clip, n := p.match(rest)
		if n == 0 {
			return Clip{}, &UnknownError{Text: string(rest)}
		}
		out.Samples = append(append(out.Samples, clip.Samples...), make([]int16, p.gap)...)
		rest = rest[n:]
	}
	return out, nil
}

// match gives the clip of the longest phrase that a text begins with, and its length in characters.
func (p *Pack) match(text []rune) (Clip, int) {
	for n := min(p.longest, len(text)); n > 0; n-- {
		if c, ok := p.clips[string(text[:n])]; ok {
			return c, n
		}
	}
	return Clip{}, 0
}
