package voice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/voice/sound"
)

// ErrNoSound means that nothing on this machine turns the sentence into sound: no pack has its words, and espeak-ng is not there.
var ErrNoSound = errors.New("nothing here turns text into sound")

// betweenTwo is the silence before a call is repeated.
const betweenTwo = 600 * time.Millisecond

// remembered is how many sentences are kept as sound: a call is said again and again, and by screens too.
const remembered = 32

// Sounds turns sentences into sound. It is safe for concurrent use.
type Sounds struct {
	packs  map[string]*sound.Pack
	espeak bool          // espeak-ng may be asked
	making chan struct{} // one at a time: old machines have better things to do

	mu    sync.Mutex
	made  map[string][]byte
	order []string // oldest first
}

// NewSounds loads the packs. One that cannot be used is logged, and the others serve.
func NewSounds(c config.Sounds, log *slog.Logger) *Sounds {
	s := &Sounds{packs: map[string]*sound.Pack{}, espeak: c.Espeak != "none", making: make(chan struct{}, 1), made: map[string][]byte{}}
	for language, dir := range c.Packs {
		pack, err := sound.LoadPack(os.DirFS(dir))
		if err == nil && pack.Language != language {
			err = fmt.Errorf("the pack speaks %s", pack.Language)
		}
		if err != nil {
			log.Error("clip pack unusable", "language", language, "dir", dir, "error", err)
			continue
		}
		s.packs[language] = pack
	}
	return s
}

// WAV gives a sentence as a WAV file: from the clips of the language, else from espeak-ng. rate is percent and only espeak-ng's; clips
// play as they were recorded. It fails with ErrNoSound when there is neither.
func (s *Sounds) WAV(ctx context.Context, what Sentence, language string, rate int) ([]byte, error) {
	key := fmt.Sprint(language, rate, what.Full)
	if wav, ok := s.kept(key); ok {
		return wav, nil
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if wav, ok := s.kept(key); ok { // made while we waited
		return wav, nil
	}
	clip, err := s.make(ctx, what, language, rate)
	if err != nil {
		return nil, err
	}
	wav := clip.WAV()
	s.keep(key, wav)
	return wav, nil
}

func (s *Sounds) make(ctx context.Context, what Sentence, language string, rate int) (sound.Clip, error) {
	why := ErrNoSound
	if pack := s.packs[language]; pack != nil {
		for _, text := range []string{what.Full, what.Plain} {
			clip, err := pack.Say(text)
			if err == nil {
				return clip, nil
			}
			why = fmt.Errorf("%w: %w", ErrNoSound, err)
		}
	}
	if !s.espeak {
		return sound.Clip{}, why
	}
	espeak, ok := sound.FindEspeak() // looked for anew: it may be installed while the hall is open
	if !ok {
		return sound.Clip{}, why
	}
	said, err := espeak.Say(ctx, what.Full, language, rate)
	if err != nil {
		return sound.Clip{}, err
	}
	return sound.Join(0, sound.Chime(said.Rate), said), nil
}

// Call gives a call as a page plays it, as a WAV file: so many times, at a volume in percent. It fails as WAV does.
func (s *Sounds) Call(ctx context.Context, what Sentence, language string, rate, times, volume int) ([]byte, error) {
	wav, err := s.WAV(ctx, what, language, rate)
	if err != nil {
		return nil, err
	}
	once, err := sound.ParseWAV(wav)
	if err != nil {
		return nil, fmt.Errorf("read the call: %w", err)
	}
	return sound.Join(betweenTwo, slices.Repeat([]sound.Clip{once}, times)...).At(volume).WAV(), nil
}

func (s *Sounds) kept(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wav, ok := s.made[key]
	return wav, ok
}

func (s *Sounds) keep(key string, wav []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == remembered {
		delete(s.made, s.order[0])
		s.order = s.order[1:]
	}
	s.made[key] = wav
	s.order = append(s.order, key)
}
