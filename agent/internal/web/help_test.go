package web_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/voice/sound"
)

func TestAKioskCallsTheGuide(t *testing.T) {
	s := open(t)
	events, stop := s.listen(staffToken, "", "")
	defer stop()
	next(t, events, "snapshot")
	s.post(screenToken, "/api/v1/help", nil).want(t, 403, "not_allowed")
	if r := s.post(kioskToken, "/api/v1/help", nil).want(t, 201, ""); r.text("help", "place") != "kiosk-1" || r.text("help", "name") != "1 号取号机" || r.at("help", "coming") != false {
		t.Errorf("%s", r.Raw)
	}
	if calls, _ := next(t, events, "help").data["help"].([]any); len(calls) != 1 {
		t.Errorf("the guide sees %v", calls)
	}
	for token, sees := range map[string]bool{kioskToken: true, staffToken: true, screenToken: false, opsToken: false} {
		if r := s.get(token, "/api/v1/hall").want(t, 200, ""); (r.at("help") != nil) != sees {
			t.Errorf("%s sees %s", token, r.Raw)
		}
	}
	s.post(kioskToken, "/api/v1/help/kiosk-1/come", nil).want(t, 403, "not_allowed")
	s.post(staffToken, "/api/v1/help/kiosk-9/come", nil).want(t, 404, "nobody_calls")
	if r := s.post(staffToken, "/api/v1/help/kiosk-1/come", nil).want(t, 200, ""); r.at("help", "coming") != true {
		t.Errorf("%s", r.Raw)
	}
	if r := s.get(kioskToken, "/api/v1/hall").want(t, 200, ""); !strings.Contains(r.Raw, `"coming":true`) {
		t.Errorf("the kiosk is not told: %s", r.Raw)
	}
}

// Who cannot read a kiosk has it read out: by clips, by espeak-ng, and in two languages.
func TestAKioskIsReadOut(t *testing.T) {
	dir := clips(t, "请", "按", "取号")
	s := open(t, func(site *config.Site, _ *config.Plan) {
		site.Voice = config.Sounds{Espeak: "none", Packs: map[string]string{"zh-CN": dir}}
	})
	say := func(text, language string) reply {
		return s.get(kioskToken, "/api/v1/say?language="+language+"&text="+url.QueryEscape(text))
	}
	r := say("请按取号", "")
	clip, err := sound.ParseWAV([]byte(r.Raw))
	if want := []int16{1, 2, 3}; r.Status != 200 || r.Header.Get("Content-Type") != "audio/wav" || err != nil || !slices.Equal(clip.Samples, want) {
		t.Errorf("%d %s: %v, want %v, %v", r.Status, r.Header, clip.Samples, want, err)
	}
	say("没有这个词", "").want(t, 503, "voice_missing")
	say("请按取号", "en").want(t, 503, "voice_missing")
	say("请按取号", "fr").want(t, 503, "voice_missing")
	if r := say("", "").want(t, 200, ""); r.at("able") != false {
		t.Errorf("without the words of a page: %s", r.Raw)
	}
	say(strings.Repeat("请", 61), "").want(t, 400, "field_too_long")
	say(strings.Repeat("请", 60), "").want(t, 200, "")
	s.get(screenToken, "/api/v1/say?text=x").want(t, 403, "not_allowed")
	s.get("", "/api/v1/say?text=x").want(t, 401, "sign_in")
}
