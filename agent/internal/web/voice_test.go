package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/voice/sound"
)

// clips writes a pack in which the n-th word is one sample of value n+1.
func clips(t *testing.T, words ...string) string {
	t.Helper()
	dir, files := t.TempDir(), map[string]string{}
	for i, word := range words {
		files[word] = fmt.Sprintf("%d.wav", i)
		must(t, os.WriteFile(filepath.Join(dir, files[word]), sound.Clip{Rate: 8000, Samples: []int16{int16(i + 1)}}.WAV(), 0o600))
	}
	raw, err := json.Marshal(map[string]any{"language": "zh-CN", "rest_ms": 0, "clips": files})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "pack.json"), raw, 0o600))
	return dir
}

func TestAScreenGetsTheSoundOfACall(t *testing.T) {
	dir := clips(t, "请", "A", "零", "一", "号", "到", "窗口")
	s := open(t, func(site *config.Site, plan *config.Plan) {
		plan.Rules.Voice = config.Voice{Repeat: 2, Rate: 100, Volume: 100, MaxAgeS: 60}
		site.Voice = config.Sounds{Espeak: "none", Packs: map[string]string{"zh-CN": dir}}
	})
	s.take("A")
	s.verb("1", "open", nil).want(t, 200, "")
	s.get(screenToken, "/api/v1/voice/1").want(t, 404, "nobody_called")
	s.get(screenToken, "/api/v1/voice/9").want(t, 404, "nobody_called")
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.get("", "/api/v1/voice/1").want(t, 401, "sign_in")
	for _, language := range []string{"zh-yue", "en"} {
		s.get(screenToken, "/api/v1/voice/1?language="+language).want(t, 503, "voice_missing")
	}
	once := []int16{1, 2, 3, 3, 4, 5, 6, 4, 5, 7}
	silence := make([]int16, 8000*6/10)
	for query, want := range map[string][]int16{"": slices.Concat(once, silence, once), "?once=1": once} {
		r := s.get(screenToken, "/api/v1/voice/1"+query)
		clip, err := sound.ParseWAV([]byte(r.Raw))
		if r.Status != 200 || r.Header.Get("Content-Type") != "audio/wav" || err != nil || !slices.Equal(clip.Samples, want) {
			t.Errorf("%q: %d %s: %d samples, %v", query, r.Status, r.Header, len(clip.Samples), err)
		}
	}
	s.verb("1", "start", nil).want(t, 200, "")
	s.get(screenToken, "/api/v1/voice/1").want(t, 404, "nobody_called")
}

func TestNoSoundInSilentHoursNorOfOldCalls(t *testing.T) {
	dir := clips(t, "请", "A", "零", "一", "号", "到", "窗口")
	for name, rules := range map[string]config.Voice{
		"silent hours": {Repeat: 1, Rate: 100, Volume: 80, MaxAgeS: 60, Hours: []config.Loudness{{At: "mon-sun 00:00-24:00", Volume: 0}}},
		"too old":      {Repeat: 1, Rate: 100, Volume: 80, MaxAgeS: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(site *config.Site, plan *config.Plan) {
				plan.Rules.Voice = rules
				site.Voice = config.Sounds{Espeak: "none", Packs: map[string]string{"zh-CN": dir}}
			})
			s.take("A")
			s.verb("1", "open", nil).want(t, 200, "")
			s.verb("1", "call-next", nil).want(t, 200, "")
			s.get(screenToken, "/api/v1/voice/1").want(t, 404, "nobody_called")
		})
	}
}
