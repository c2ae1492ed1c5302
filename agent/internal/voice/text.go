package voice

import (
	"context"
	"fmt"

	"halledge/agent/internal/voice/sound"
)

// Text gives a short text of a page as a WAV file, for those who cannot read it: without the gong of a call. English is espeak-ng's. It
// fails as WAV does.
func (s *Sounds) Text(ctx context.Context, text, language string, rate int) ([]byte, error) {
	key := fmt.Sprint("text ", language, rate, text)
	if wav, ok := s.kept(key); ok {
		return wav, nil
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	clip, err := s.read(ctx, text, language, rate)
	if err != nil {
		return nil, err
	}
	wav := clip.WAV()
	s.keep(key, wav)
	return wav, nil
}

func (s *Sounds) read(ctx context.Context, text, language string, rate int) (sound.Clip, error) {
	if pack := s.packs[language]; pack != nil {
		if clip, err := pack.Say(text); err == nil {
			return clip, nil
		}
	}
	espeak, ok := sound.FindEspeak()
	if !ok || !s.espeak {
		return sound.Clip{}, ErrNoSound
	}
	return espeak.Say(ctx, text, language, rate)
}
