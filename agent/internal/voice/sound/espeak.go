package sound

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	espeakWords  = 150 // words a minute at 100 percent: slower than usual, for a hall
	espeakWithin = 20 * time.Second
	maxEspeak    = 16 << 20
)

// Espeak makes speech with espeak-ng, a program of its own. Path is where it is.
type Espeak struct{ Path string }

// FindEspeak looks for espeak-ng; ok is false when it is not installed.
func FindEspeak() (e Espeak, ok bool) {
	path, err := exec.LookPath("espeak-ng")
	return Espeak{Path: path}, err == nil
}

// voiceOf is espeak-ng's name of a language.
func voiceOf(language string) string {
	switch language {
	case "zh-yue":
		return "yue"
	case "en":
		return "en"
	}
	return "cmn"
}

// Say makes the sound of a text; rate is percent of the usual speed. The text goes in by standard input, never as an argument.
func (e Espeak) Say(ctx context.Context, text, language string, rate int) (Clip, error) {
	ctx, cancel := context.WithTimeout(ctx, espeakWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Path, "-v", voiceOf(language), "-s", strconv.Itoa(espeakWords*rate/100), "-b", "1", "--stdin", "--stdout")
	cmd.WaitDelay = time.Second // for a child that holds the pipe after its parent was killed
	cmd.Stdin = strings.NewReader(text)
	var out, said limited
	out.limit, said.limit = maxEspeak, 4<<10
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return Clip{}, fmt.Errorf("espeak-ng: %w: %s", err, strings.TrimSpace(said.String()))
	}
	clip, err := ParseWAV(out.Bytes())
	if err != nil {
		return Clip{}, fmt.Errorf("espeak-ng: %w", err)
	}
	if len(clip.Samples) == 0 {
		return Clip{}, fmt.Errorf("espeak-ng: no sound: %s", strings.TrimSpace(said.String()))
	}
	return clip, nil
}

// limited keeps the first bytes of what is written to it.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(b []byte) (int, error) {
	if left := l.limit - l.Len(); left > 0 {
		l.Buffer.Write(b[:min(left, len(b))])
	}
	return len(b), nil
}
