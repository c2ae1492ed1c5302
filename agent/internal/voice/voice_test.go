package voice_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/voice/sound"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

// mouth is a speaker. While gate is set, each sentence lasts until it has a value.
type mouth struct {
	device.Device
	gate  chan struct{}
	begun chan string

	mu     sync.Mutex
	health device.Health
	fail   error
	lacks  string // a language it does not have
	said   []device.Announcement
	news   chan struct{}
}

func newMouth() *mouth {
	return &mouth{begun: make(chan string, 64), news: make(chan struct{}, 1)}
}

func (m *mouth) Health() device.Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.health
}

func (m *mouth) set(change func(*mouth)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *mouth) Say(ctx context.Context, a device.Announcement) error {
	m.begun <- a.Text
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.fail != nil:
		return m.fail
	case m.lacks == a.Language:
		return &device.Error{Op: "say", Code: device.CodeUnsupported}
	}
	m.said = append(m.said, a)
	select {
	case m.news <- struct{}{}:
	default:
	}
	return nil
}

// until waits for n sentences and gives them.
func (m *mouth) until(t *testing.T, n int) (all []device.Announcement) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		m.set(func(m *mouth) { all = slices.Clone(m.said) })
		if len(all) >= n {
			return all
		}
		select {
		case <-m.news:
		case <-deadline:
			t.Fatalf("said %q, want %d sentences", texts(all), n)
		}
	}
}

func texts(all []device.Announcement) (out []string) {
	for _, a := range all {
		out = append(out, a.Text)
	}
	return out
}

func rules() config.Voice {
	return config.Voice{Repeat: 1, Languages: []string{"zh-CN"}, Rate: 90, Volume: 70, MaxAgeS: 600}
}

// open gives a hall with three open windows and people for each, and an announcer.
func open(t *testing.T, r config.Voice, sounds config.Sounds, zones ...voice.Zone) (*hall.Hall, *voice.Announcer) {
	t.Helper()
	plan := &queue.Plan{Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}, PassRecall: time.Minute}
	for _, id := range []hallsync.WindowID{"1", "2", "3"} {
		plan.Windows = append(plan.Windows, queue.WindowPlan{ID: id, Queues: []hallsync.QueueID{"A"}})
	}
	h := halltest.Open(t, plan)
	for _, w := range plan.Windows {
		do(t, h, queue.Open{Window: w.ID})
	}
	for n := range 9 {
		do(t, h, queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtKiosk})
	}
	quiet := slog.New(slog.DiscardHandler)
	sounds.Espeak = "none"
	a := voice.New(voice.Options{Hall: h, Zones: zones, Rules: func() config.Voice { return r }, Sounds: voice.NewSounds(sounds, quiet), Log: quiet})
	halltest.Run(t, a.Run)
	return h, a
}

// later is a hall whose time can be put forward.
type later struct {
	*hall.Hall
	by atomic.Int64 // seconds
}

func (l *later) Look(see func(queue.Moment)) {
	l.Hall.Look(func(m queue.Moment) {
		m.Now = m.Now.Add(time.Duration(l.by.Load()) * time.Second)
		see(m)
	})
}

func do(t *testing.T, h *hall.Hall, commands ...queue.Command) {
	t.Helper()
	for _, c := range commands {
		if _, err := h.Do(context.Background(), c); err != nil {
			t.Fatalf("%T: %v", c, err)
		}
	}
}

func sentence(number, window string) string {
	return "请A零零" + number + "号，到" + window + "号窗口"
}

func TestARecallGoesAheadAndCutsNothing(t *testing.T) {
	m := newMouth()
	m.gate = make(chan struct{})
	h, _ := open(t, rules(), config.Sounds{}, voice.Zone{Name: "hall.speaker", Speaker: m})
	do(t, h, queue.CallNext{Window: "1"})
	if first := <-m.begun; first != sentence("一", "一") {
		t.Fatalf("began with %q", first)
	}
	do(t, h, queue.CallNext{Window: "2"}, queue.CallNext{Window: "3"}, queue.Recall{Window: "1"})
	close(m.gate)
	want := []string{sentence("一", "一"), sentence("一", "一"), sentence("二", "二"), sentence("三", "三")}
	all := m.until(t, len(want))
	if !slices.Equal(texts(all), want) {
		t.Errorf("said %q, want %q", texts(all), want)
	}
	if a := all[0]; a.Volume != 70 || a.Rate != 90 || a.Language != "zh-CN" || a.ID == all[1].ID {
		t.Errorf("said %+v, then %+v", a, all[1])
	}
}

// Two windows call again and again: who was called at the third is called aloud all the same.
func TestRecallsDoNotKeepAFreshCallWaiting(t *testing.T) {
	m := newMouth()
	m.gate = make(chan struct{})
	h, _ := open(t, rules(), config.Sounds{}, voice.Zone{Name: "hall.speaker", Speaker: m})
	defer close(m.gate)
	do(t, h, queue.CallNext{Window: "1"})
	<-m.begun
	m.gate <- struct{}{}
	do(t, h, queue.CallNext{Window: "2"})
	<-m.begun
	do(t, h, queue.CallNext{Window: "3"})
	other := map[string]hallsync.WindowID{sentence("二", "二"): "1", sentence("一", "一"): "2"}
	saying := sentence("二", "二")
	for recalls := 0; saying != sentence("三", "三"); recalls++ {
		if recalls > 3 {
			t.Fatal("a fourth recall goes before the fresh call")
		}
		do(t, h, queue.Recall{Window: other[saying]})
		m.gate <- struct{}{}
		saying = <-m.begun
	}
}

func TestWhatIsOverIsNotSaid(t *testing.T) {
	m := newMouth()
	m.gate = make(chan struct{})
	h, _ := open(t, rules(), config.Sounds{}, voice.Zone{Name: "hall.speaker", Speaker: m})
	do(t, h, queue.CallNext{Window: "1"})
	<-m.begun
	do(t, h, queue.CallNext{Window: "2"}, queue.Start{Window: "2"}, queue.CallNext{Window: "3"}, queue.Pass{Window: "3"}, queue.CallNext{Window: "3"})
	close(m.gate)
	if got, want := texts(m.until(t, 2)), []string{sentence("一", "一"), sentence("四", "三")}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestOldCallsAreNotSaid(t *testing.T) {
	m, r := newMouth(), rules()
	r.MaxAgeS = 1
	m.fail = &device.Error{Op: "say", Code: device.CodeOffline, Retry: true}
	h, a := open(t, r, config.Sounds{}, voice.Zone{Name: "hall.speaker", Speaker: m})
	do(t, h, queue.CallNext{Window: "1"})
	<-m.begun
	await.That(t, "the call to grow old", func() (old bool) {
		h.Look(func(now queue.Moment) { old = now.Now.Sub(now.State.Calls(1)[0].At) > 1100*time.Millisecond })
		return old
	})
	m.set(func(m *mouth) { m.fail = nil })
	do(t, h, queue.CallNext{Window: "2"})
	if got := texts(m.until(t, 1)); !slices.Equal(got, []string{sentence("二", "二")}) {
		t.Errorf("said %q", got)
	}
	if len(a.Mute()) > 0 {
		t.Errorf("a speaker that was away counts as mute: %v", a.Mute())
	}
}

func TestAProgramThatStartsAgainSaysNoCallTwice(t *testing.T) {
	h, _ := open(t, rules(), config.Sounds{})
	do(t, h, queue.CallNext{Window: "1"}, queue.CallNext{Window: "2"})
	m, l := newMouth(), &later{Hall: h}
	l.by.Store(40)
	again := voice.New(voice.Options{Hall: l, Zones: []voice.Zone{{Name: "hall.speaker", Speaker: m}}, Rules: rules, Log: slog.New(slog.DiscardHandler)})
	halltest.Run(t, again.Run)
	do(t, h, queue.Recall{Window: "2"})
	if got := texts(m.until(t, 1)); !slices.Equal(got, []string{sentence("二", "二")}) {
		t.Errorf("said %q", got)
	}
	if len(m.begun) != 1 {
		t.Error("it said more than the new call")
	}
}

func TestACallJustBeforeAProgramStartsIsSaid(t *testing.T) {
	h, _ := open(t, rules(), config.Sounds{})
	do(t, h, queue.CallNext{Window: "1"})
	m := newMouth()
	again := voice.New(voice.Options{Hall: h, Zones: []voice.Zone{{Name: "hall.speaker", Speaker: m}}, Rules: rules, Log: slog.New(slog.DiscardHandler)})
	halltest.Run(t, again.Run)
	m.until(t, 1)
}

func TestNobodyIsCalledTwiceWhileAnotherWaitsLong(t *testing.T) {
	m, r := newMouth(), rules()
	m.gate = make(chan struct{})
	r.Repeat, r.MaxAgeS = 2, 60
	h, _ := open(t, r, config.Sounds{})
	l := &later{Hall: h}
	a := voice.New(voice.Options{Hall: l, Zones: []voice.Zone{{Name: "hall.speaker", Speaker: m}}, Rules: func() config.Voice { return r }, Log: slog.New(slog.DiscardHandler)})
	halltest.Run(t, a.Run)
	do(t, h, queue.CallNext{Window: "1"})
	<-m.begun
	do(t, h, queue.CallNext{Window: "2"})
	l.by.Store(20)
	close(m.gate)
	want := []string{sentence("一", "一"), sentence("二", "二"), sentence("二", "二")}
	if got := texts(m.until(t, len(want))); !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestEachZoneHasItsWindowsAndWaitsForNoOther(t *testing.T) {
	dead, one, rest := newMouth(), newMouth(), newMouth()
	dead.gate = make(chan struct{}) // never says anything to its end
	h, _ := open(t, rules(), config.Sounds{}, voice.Zone{Name: "dead", Speaker: dead},
		voice.Zone{Name: "one", Speaker: one, Windows: []hallsync.WindowID{"1"}},
		voice.Zone{Name: "rest", Speaker: rest, Windows: []hallsync.WindowID{"2", "3"}})
	do(t, h, queue.CallNext{Window: "1"}, queue.CallNext{Window: "2"}, queue.CallNext{Window: "3"})
	if got := texts(one.until(t, 1)); !slices.Equal(got, []string{sentence("一", "一")}) {
		t.Errorf("zone one said %q", got)
	}
	if got := texts(rest.until(t, 2)); !slices.Equal(got, []string{sentence("二", "二"), sentence("三", "三")}) {
		t.Errorf("the rest said %q", got)
	}
}

func TestRepeatsLanguagesAndHours(t *testing.T) {
	both, mandarin, r := newMouth(), newMouth(), rules()
	mandarin.lacks = "zh-yue"
	r.Repeat, r.Languages = 2, []string{"zh-CN", "zh-yue"}
	r.Hours = []config.Loudness{{At: "mon-sun 00:00-24:00", Volume: 30}}
	h, _ := open(t, r, config.Sounds{}, voice.Zone{Name: "both", Speaker: both}, voice.Zone{Name: "mandarin", Speaker: mandarin})
	do(t, h, queue.CallNext{Window: "1"})
	for m, want := range map[*mouth][]string{both: {"zh-CN", "zh-yue", "zh-CN", "zh-yue"}, mandarin: {"zh-CN", "zh-CN"}} {
		var got []string
		for _, a := range m.until(t, len(want)) {
			got = append(got, a.Language)
			if a.Volume != 30 {
				t.Errorf("the volume is %d", a.Volume)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("languages %q, want %q", got, want)
		}
	}
}

func TestSilentHours(t *testing.T) {
	m, other, r := newMouth(), newMouth(), rules()
	r.Hours = []config.Loudness{{At: "mon-sun 00:00-24:00", Volume: 0}}
	h, _ := open(t, r, config.Sounds{}, voice.Zone{Name: "hall.speaker", Speaker: m})
	loud := voice.New(voice.Options{Hall: h, Zones: []voice.Zone{{Name: "other", Speaker: other}}, Rules: rules, Log: slog.New(slog.DiscardHandler)})
	halltest.Run(t, loud.Run)
	do(t, h, queue.CallNext{Window: "1"}, queue.CallNext{Window: "2"})
	other.until(t, 2)
	if len(m.begun) > 0 {
		t.Errorf("said %q", <-m.begun)
	}
}

func TestASpeakerThatCannotSpeakIsNamedUntilItCan(t *testing.T) {
	m := newMouth()
	m.fail = &device.Error{Op: "say", Code: device.CodeUnsupported, Err: voice.ErrNoSound}
	h, a := open(t, rules(), config.Sounds{}, voice.Zone{Name: "hall.speaker", Speaker: m})
	do(t, h, queue.CallNext{Window: "1"})
	<-m.begun
	await.That(t, "the speaker to count as mute", func() bool { return a.Mute()["hall.speaker"] != "" })
	m.set(func(m *mouth) { m.fail = nil })
	do(t, h, queue.Recall{Window: "1"})
	m.until(t, 1)
	await.That(t, "the speaker to count as well", func() bool { return len(a.Mute()) == 0 })
}

// pack writes a pack whose only words are those of plain calls.
func pack(t *testing.T, language string) string {
	t.Helper()
	dir := t.TempDir()
	clips := ""
	for i, word := range []string{"请", "A", "零", "一", "号", "到", "窗口"} {
		name := fmt.Sprintf("%d.wav", i)
		if err := os.WriteFile(filepath.Join(dir, name), sound.Clip{Rate: 8000, Samples: []int16{int16(i + 1)}}.WAV(), 0o600); err != nil {
			t.Fatal(err)
		}
		clips += fmt.Sprintf(`,%q:%q`, word, name)
	}
	manifest := fmt.Sprintf(`{"language":%q,"rest_ms":0,"clips":{%s}}`, language, clips[1:])
	if err := os.WriteFile(filepath.Join(dir, "pack.json"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSoundComesFromClips(t *testing.T) {
	c := config.Sounds{Espeak: "none", Packs: map[string]string{"zh-CN": pack(t, "zh-CN"), "zh-yue": pack(t, "zh-CN")}} // the second is misplaced
	s := voice.NewSounds(c, slog.New(slog.DiscardHandler))
	what := voice.Sentence{Full: "请A零零一号，到一号综合窗口", Plain: "请A零零一号，到一号窗口"}
	for range 2 { // made, then kept
		wav, err := s.WAV(t.Context(), what, "zh-CN", 100)
		if err != nil {
			t.Fatal(err)
		}
		clip, err := sound.ParseWAV(wav)
		if want := []int16{1, 2, 3, 3, 4, 5, 6, 4, 5, 7}; err != nil || !slices.Equal(clip.Samples, want) {
			t.Errorf("joined %v, want %v, %v", clip.Samples, want, err)
		}
	}
	wav, err := s.Call(t.Context(), what, "zh-CN", 100, 2, 200)
	clip, perr := sound.ParseWAV(wav)
	if once, n := []int16{2, 4, 6, 6, 8, 10, 12, 8, 10, 14}, len(clip.Samples); err != nil || perr != nil || n < 1000 ||
		!slices.Equal(clip.Samples[:10], once) || !slices.Equal(clip.Samples[n-10:], once) {
		t.Errorf("twice and twice as loud: %d samples, %v %v", n, err, perr)
	}
	for name, in := range map[string]struct {
		text     string
		language string
	}{"no pack": {what.Plain, "zh-yue"}, "no clip": {"请B零零一号", "zh-CN"}} {
		if wav, err := s.WAV(t.Context(), voice.Sentence{Full: in.text, Plain: in.text}, in.language, 100); !errors.Is(err, voice.ErrNoSound) {
			t.Errorf("%s: %d bytes, %v", name, len(wav), err)
		}
	}
}

func TestEspeakIsFoundWhenItIsInstalledLater(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	s := voice.NewSounds(config.Sounds{Espeak: "auto"}, slog.New(slog.DiscardHandler))
	what := voice.Sentence{Full: "请A零零一号", Plain: "请A零零一号"}
	if _, err := s.WAV(t.Context(), what, "zh-CN", 100); !errors.Is(err, voice.ErrNoSound) {
		t.Fatalf("got %v", err)
	}
	said := filepath.Join(dir, "said.wav")
	if err := os.WriteFile(said, sound.Clip{Rate: 8000, Samples: []int16{7, 7}}.WAV(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "espeak-ng"), []byte("#!/bin/sh\nexec /bin/cat "+said+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	wav, err := s.WAV(t.Context(), what, "zh-CN", 100)
	if err != nil {
		t.Fatal(err)
	}
	clip, err := sound.ParseWAV(wav)
	if chime := len(sound.Chime(8000).Samples); err != nil || len(clip.Samples) != chime+2 || clip.Samples[chime] != 7 {
		t.Errorf("%d samples behind a chime of %d, %v", len(clip.Samples), chime, err)
	}
}
