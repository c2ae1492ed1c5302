package voicemodule

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend/voicebox"
	"halledge/drivers/registry"
)

func protocols() []string { return []string{"syn6288", "xfs5152"} }

func options(protocol string, more map[string]string) map[string]string {
	o := map[string]string{"protocol": protocol, "poll": "100ms", "reply_within": "300ms"}
	maps.Copy(o, more)
	return o
}

func heard(b *voicebox.Box) (texts []string) {
	for _, s := range b.Said() {
		if s.Ended {
			texts = append(texts, s.Text)
		}
	}
	return texts
}

func TestConformance(t *testing.T) {
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			drivertest.Speaker(t, func(t *testing.T) drivertest.SpeakerHarness {
				far := &voicebox.Box{Protocol: protocol, PerRune: 5 * time.Millisecond}
				return drivertest.SpeakerHarness{
					Harness: drivertest.Harness{New: New, Options: options(protocol, nil), Far: far.Serve},
					Heard:   func() []string { return heard(far) },
					Begun:   far.Texts,
				}
			})
		})
	}
}

// start runs a driver on a module that is plugged in.
func start(t *testing.T, far *voicebox.Box, more map[string]string) device.Speaker {
	t.Helper()
	line := drivertest.Cable(t, far.Serve)
	d, err := New(registry.Config{
		Name: "hall.speaker", Connect: registry.Connect{Serial: line.Path()}, Options: options(far.Protocol, more), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	return d.(device.Speaker)
}

func TestVolumeAndRateBecomeTags(t *testing.T) {
	for protocol, want := range map[string][2]string{"syn6288": {"[v12][m0][t4]", "[v4][m0][t3]"}, "xfs5152": {"[v8][s5]", "[v3][s4]"}} {
		far := &voicebox.Box{Protocol: protocol}
		d := start(t, far, nil)
		for _, a := range []device.Announcement{{Text: "请A零零一号"}, {Text: "请A零零一号", Volume: 30, Rate: 80}} {
			if err := d.Say(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range far.Said() {
			if s.Tags != want[i] || s.Text != "请A零零一号" {
				t.Errorf("%s: said %+v, want the tags %s", protocol, s, want[i])
			}
		}
	}
}

func TestLongSentencesGoInPartsOneAfterTheOther(t *testing.T) {
	for _, protocol := range protocols() {
		far := &voicebox.Box{Protocol: protocol}
		long := strings.Repeat("请A零零一号到三号窗口办理，", 60)
		if err := start(t, far, nil).Say(t.Context(), device.Announcement{Text: long}); err != nil {
			t.Fatal(err)
		}
		if parts := heard(far); len(parts) < 2 || strings.Join(parts, "") != long {
			t.Errorf("%s: heard %q", protocol, parts)
		}
	}
}

func TestARefusedFrameIsSentOnceMore(t *testing.T) {
	far := &voicebox.Box{Protocol: "syn6288"}
	d := start(t, far, nil)
	far.Reject(1)
	if err := d.Say(t.Context(), device.Announcement{Text: "请A零零一号"}); err != nil {
		t.Fatal(err)
	}
	far.Reject(2)
	err := d.Say(t.Context(), device.Announcement{Text: "请A零零二号"})
	var e *device.Error
	if !errors.As(err, &e) || e.Code != device.CodeBadReply || e.Retry {
		t.Errorf("got %v", err)
	}
	if got := heard(far); !slices.Equal(got, []string{"请A零零一号"}) {
		t.Errorf("heard %q", got)
	}
}

func TestASpeechWhoseEndIsLostIsNotSaidAgain(t *testing.T) {
	for _, protocol := range protocols() {
		far := &voicebox.Box{Protocol: protocol, PerRune: 5 * time.Millisecond}
		d := start(t, far, nil)
		far.Lose(1)
		for range 2 {
			if err := d.Say(t.Context(), device.Announcement{Text: "请"}); err != nil {
				t.Fatal(err)
			}
		}
		if got := heard(far); !slices.Equal(got, []string{"请", "请"}) {
			t.Errorf("%s: heard %q", protocol, got)
		}
	}
}

func TestAModuleThatStartsAgainBreaksOff(t *testing.T) {
	far := &voicebox.Box{Protocol: "syn6288", PerRune: time.Hour}
	d := start(t, far, nil)
	call := make(chan error, 1)
	go func() { call <- d.Say(t.Context(), device.Announcement{Text: "请A零零一号"}) }()
	drivertest.Until(t, "the speech to begin", func() bool { return len(far.Said()) == 1 })
	far.Restart()
	var e *device.Error
	if err := <-call; !errors.As(err, &e) || !e.Retry || !errors.Is(err, errRestarted) {
		t.Errorf("got %v", err)
	}
}

func TestOtherLanguagesAreRefused(t *testing.T) {
	far := &voicebox.Box{Protocol: "syn6288"}
	err := start(t, far, nil).Say(t.Context(), device.Announcement{Text: "请A零零一号", Language: "zh-yue"})
	var e *device.Error
	if !errors.As(err, &e) || e.Code != device.CodeUnsupported || len(far.Said()) > 0 {
		t.Errorf("got %v, said %+v", err, far.Said())
	}
}

// TestAModuleThatCannotAnswer speaks to a board with only its receive line wired.
func TestAModuleThatCannotAnswer(t *testing.T) {
	far := &voicebox.Box{Protocol: "xfs5152", PerRune: time.Millisecond}
	d := start(t, far, map[string]string{"answers": "false", "rate": "150"})
	before := time.Now()
	if err := d.Say(t.Context(), device.Announcement{Text: "一号"}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took < perText {
		t.Errorf("took %v, so nobody waited for the end", took)
	}
	if got := heard(far); !slices.Equal(got, []string{"一号"}) {
		t.Errorf("heard %q", got)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"protocol": "sapi", "volume": "101", "rate": "0", "answers": "maybe", "voice": "3"})
}
