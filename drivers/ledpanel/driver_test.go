package ledpanel

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/panel"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

// glass is an LED card as the far end of the line.
type glass struct {
	mu      sync.Mutex
	panel   *onbon.Panel
	results []onbon.Result // given before the true reply
	refuses onbon.Result   // given to every update with text
	lost    int            // frames to leave unanswered
	dim     onbon.Result   // given to every new brightness
	noise   []byte         // sent before each reply
	got     []onbon.Request
}

func newPanel() *glass { return &glass{panel: onbon.NewPanel(1)} }

func (p *glass) with(change func(p *glass)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *glass) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.panel.Lines()
}

func (p *glass) areas() []onbon.Area {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.panel.Areas()
}

// count is how often a command came.
func (p *glass) count(c onbon.Command) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.got {
		if r.Command == c {
			n++
		}
	}
	return n
}

func (p *glass) serve(rw io.ReadWriter) { farend.Answer(rw, &onbon.Decoder{}, p.answer) }

func (p *glass) answer(f onbon.Frame) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := onbon.ParseRequest(f.Data)
	if err != nil {
		return nil
	}
	p.got = append(p.got, r)
	if p.lost > 0 {
		p.lost--
		return nil
	}
	u, notUpdate := onbon.ParseUpdate(r)
	reply := onbon.Frame{Dst: f.Src, Src: f.Dst, CardType: f.CardType}
	switch {
	case len(p.results) > 0:
		reply.Data = onbon.Reply{Command: 0xA001, Result: p.results[0]}.Data()
		p.results = p.results[1:]
	case p.refuses != onbon.ResultOK && notUpdate == nil && len(u.Areas) > 0:
		reply.Data = onbon.Reply{Command: 0xA001, Result: p.refuses}.Data()
	case p.dim != onbon.ResultOK && r.Command == onbon.CmdBrightness:
		reply.Data = onbon.Reply{Command: 0xA001, Result: p.dim}.Data()
	default:
		var ok bool
		if reply, ok = p.panel.Handle(f); !ok {
			return nil
		}
	}
	out, err := onbon.AppendFrame(slices.Clone(p.noise), reply)
	if err != nil {
		return nil
	}
	return out
}

func options(more map[string]string) map[string]string {
	o := map[string]string{"rows": "2", "poll": "100ms", "reply_within": "500ms"}
	maps.Copy(o, more)
	return o
}

func TestConformance(t *testing.T) {
	for name, tcp := range map[string]bool{"serial": false, "tcp": true} {
		t.Run(name, func(t *testing.T) {
			drivertest.Screen(t, func(t *testing.T) drivertest.ScreenHarness {
				far := newPanel()
				return drivertest.ScreenHarness{
					Harness: drivertest.Harness{New: New, Options: options(nil), TCP: tcp, Far: far.serve},
					Shown:   far.lines,
					Blank:   func() { far.with(func(p *glass) { p.panel = onbon.NewPanel(1) }) },
				}
			})
		})
	}
}

// start runs a panel driver on a line that is plugged in.
func start(t *testing.T, far *glass, more map[string]string) *Panel {
	t.Helper()
	line := drivertest.Cable(t, far.serve)
	d, err := New(registry.Config{
		Name: "hall.led", Connect: registry.Connect{Serial: line.Path(), Baud: 57600}, Options: options(more), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Until(t, "the panel", func() bool { return d.Health().State == device.OK })
	return d.(*Panel)
}

func show(t *testing.T, p *Panel, lines ...string) {
	t.Helper()
	if err := p.Show(t.Context(), device.Frame{Lines: lines}); err != nil {
		t.Fatal(err)
	}
}

func TestStartWipesWhatAnEarlierProgramLeft(t *testing.T) {
	t.Parallel()
	far := newPanel()
	stale, err := onbon.Update{Areas: []onbon.Area{{ID: 7, Width: 8, Height: 16, Text: onbon.Text{S: "旧"}}}}.Request()
	if err != nil {
		t.Fatal(err)
	}
	far.panel.Handle(onbon.Frame{Dst: 1, Src: onbon.Host, Data: stale.Data()})
	start(t, far, nil)
	if got := far.lines(); len(got) != 0 {
		t.Errorf("the panel shows %q", got)
	}
}

func TestNewestFrameWins(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, nil)
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			if err := p.Show(t.Context(), device.Frame{Lines: []string{fmt.Sprintf("A%03d", i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	show(t, p, "A099")
	if got := far.lines(); !slices.Equal(got, []string{"A099"}) {
		t.Errorf("shows %q", got)
	}
	if jobs := p.Health().Counters.Jobs; jobs != 21 {
		t.Errorf("%d jobs", jobs)
	}
}

func TestFrameShownDuringAnOutageAppearsLater(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, nil)
	far.with(func(p *glass) { p.lost = 1000 })
	var failed *device.Error
	err := p.Show(t.Context(), device.Frame{Lines: []string{"A007"}})
	if !errors.As(err, &failed) || failed.Code != device.CodeTimeout && failed.Code != device.CodeOffline || !failed.Retry {
		t.Fatalf("a silent panel gives %v", err) // offline when a look at the idle panel noticed first
	}
	far.with(func(p *glass) { p.lost = 0 })
	drivertest.Until(t, "the frame", func() bool { return slices.Equal(far.lines(), []string{"A007"}) })
}

func TestLostAndBusyRepliesAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*glass){
		"one lost":     func(p *glass) { p.lost = 1 },
		"busy twice":   func(p *glass) { p.results = []onbon.Result{onbon.ResultBusy, onbon.ResultBusy} },
		"damaged":      func(p *glass) { p.results = []onbon.Result{onbon.ResultCRC} },
		"noise before": func(p *glass) { p.noise = []byte{0xA5, 0xA5, 0, 0x5A, 7} },
		"our own echo": func(p *glass) {
			p.noise, _ = onbon.AppendFrame(nil, onbon.Frame{Dst: 1, Src: onbon.Host, Data: onbon.Request{Command: onbon.CmdPing}.Data()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newPanel()
			p := start(t, far, nil)
			far.with(disturb)
			show(t, p, "A001")
			if got := far.lines(); !slices.Equal(got, []string{"A001"}) {
				t.Errorf("shows %q", got)
			}
		})
	}
}

func TestFrameThatThePanelRefuses(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, nil)
	far.with(func(p *glass) { p.refuses = onbon.ResultNoFont })
	var failed *device.Error
	if err := p.Show(t.Context(), device.Frame{Lines: []string{"A001"}}); !errors.As(err, &failed) || failed.Code != device.CodeBadReply {
		t.Fatalf("got %v", err)
	}
	if h := p.Health(); h.State != device.Degraded || h.Code != device.CodeBadReply || h.Detail != "no such font" {
		t.Errorf("health %+v", h)
	}
	tried := far.count(onbon.CmdUpdate)
	drivertest.Until(t, "another attempt", func() bool { return far.count(onbon.CmdUpdate) > tried+1 })
	if h := p.Health(); h.State != device.Degraded || h.Counters.Failures != 0 {
		t.Errorf("a refused frame costs the connection: %+v", h)
	}
	far.with(func(p *glass) { p.refuses = onbon.ResultOK })
	show(t, p, "A002")
	if h := p.Health(); h.State != device.OK {
		t.Errorf("health %+v", h)
	}
}

func TestFrameIsSentAgainAfterARefresh(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, map[string]string{"refresh": "1s"})
	show(t, p, "A001")
	far.with(func(p *glass) { p.panel = onbon.NewPanel(1) }) // it lost its power and did not say so
	drivertest.Until(t, "the frame to come back", func() bool { return slices.Equal(far.lines(), []string{"A001"}) })
}

func TestSelfTestShowsATextForAMoment(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, nil)
	show(t, p, "A001")
	done := make(chan error, 1)
	go func() { done <- p.SelfTest(t.Context()) }()
	drivertest.Until(t, "the test text", func() bool { return slices.Contains(far.lines(), "显示测试 ABC123") })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := far.lines(); !slices.Equal(got, []string{"A001"}) {
		t.Errorf("after the test the panel shows %q", got)
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	long := "请A001号到1号窗口办理业务" // 25 cells
	for name, c := range map[string]struct {
		options map[string]string
		frame   device.Frame
		want    []string
		effects []onbon.Effect
	}{
		"fits":          {nil, device.Frame{Lines: []string{"请A001号", "到1号窗口"}}, []string{"请A001号", "到1号窗口"}, []onbon.Effect{onbon.Static, onbon.Static}},
		"flashes":       {nil, device.Frame{Lines: []string{"请A001号"}, Flash: true}, []string{"请A001号"}, []onbon.Effect{onbon.Up}},
		"runs":          {nil, device.Frame{Lines: []string{long}, Flash: true}, []string{long}, []onbon.Effect{onbon.Left}},
		"wider panel":   {map[string]string{"width": "256"}, device.Frame{Lines: []string{long}}, []string{long}, []onbon.Effect{onbon.Static}},
		"more lines":    {nil, device.Frame{Lines: []string{"一", "二", "三", "四"}}, []string{"一", "二  三  四"}, []onbon.Effect{onbon.Static, onbon.Static}},
		"one row":       {map[string]string{"rows": "1"}, device.Frame{Lines: []string{"请A001号", "到1号窗口"}}, []string{"请A001号  到1号窗口"}, []onbon.Effect{onbon.Left}},
		"empty lines":   {nil, device.Frame{Lines: []string{"", " \n", "一\t二"}}, []string{"一 二"}, []onbon.Effect{onbon.Static}},
		"nothing":       {nil, device.Frame{}, nil, nil},
		"other letters": {nil, device.Frame{Lines: []string{"镕"}}, []string{"?"}, []onbon.Effect{onbon.Static}},
		"stands still":  {map[string]string{"flash": "none"}, device.Frame{Lines: []string{"请A001号"}, Flash: true}, []string{"请A001号"}, []onbon.Effect{onbon.Static}},
		"earlier call":  {nil, device.Frame{Lines: []string{"请A002号"}, More: []string{"A001到1号窗口"}, Flash: true}, []string{"请A002号", "A001到1号窗口"}, []onbon.Effect{onbon.Up, onbon.Static}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newPanel()
			p := start(t, far, c.options)
			show(t, p, "上一个", "画面")
			if err := p.Show(t.Context(), c.frame); err != nil {
				t.Fatal(err)
			}
			if got := far.lines(); !slices.Equal(got, c.want) {
				t.Errorf("shows %q, want %q", got, c.want)
			}
			for i, a := range far.areas() {
				if a.Effect != c.effects[i] || a.Y != i*16 || a.Height != 16 || a.Text.Colour != onbon.DefaultColour {
					t.Errorf("row %d: %+v", i, a)
				}
			}
		})
	}
}

func TestColours(t *testing.T) {
	for word, want := range map[string]onbon.Colour{"card": onbon.DefaultColour, "red": onbon.Red, "green": onbon.Green, "yellow": onbon.Yellow} {
		l := readLayout(registry.NewOptions(registry.Config{Options: map[string]string{"colour": word, "colours": "paused=yellow calling=red"}}))
		for scene, want := range map[device.Scene]onbon.Colour{device.SceneWaiting: want, device.ScenePaused: onbon.Yellow, device.SceneCalling: onbon.Red} {
			areas := l.update(device.Frame{Scene: scene, Lines: []string{"A001"}, More: []string{"A002"}}, panel.Plain).Areas
			if got := areas[0].Text.Colour; got != want {
				t.Errorf("%s, %s: %v, want %v", word, scene, got, want)
			}
		}
	}
}

// A flash ends: after it the text stands, and no later refresh draws the eye again.
func TestFlashEnds(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"move", "blink"} {
		far := newPanel()
		p := start(t, far, map[string]string{"flash": how, "flash_for": "1s"})
		if err := p.Show(t.Context(), device.Frame{Lines: []string{"A001"}, Flash: true}); err != nil {
			t.Fatal(err)
		}
		if how == "blink" {
			drivertest.Until(t, "a dark moment", func() bool { return len(far.lines()) == 0 })
		}
		drivertest.Until(t, how+": the text to stand", func() bool {
			a := far.areas()
			return len(a) == 1 && a[0].Effect == onbon.Static && a[0].Text.S == "A001"
		})
	}
}

func TestBrightnessFollowsTheDay(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, map[string]string{"brightness": "07:00=14 19:30=6"})
	show(t, p, "A001")
	var got onbon.Brightness
	far.with(func(p *glass) { got = p.panel.Brightness() })
	for half, want := range map[int]byte{0: 6, 13: 6, 14: 14, 38: 14, 39: 6, 47: 6} {
		if got.Day[half] != want {
			t.Errorf("half hour %d: %d, want %d", half, got.Day[half], want)
		}
	}
	if got.Now != 6 && got.Now != 14 {
		t.Errorf("now %d", got.Now)
	}
	if n := far.count(onbon.CmdBrightness); n > 2 { // two when the half hour ended meanwhile
		t.Errorf("told %d times", n)
	}
}

func TestBrightnessThatThePanelRefuses(t *testing.T) {
	t.Parallel()
	far := newPanel()
	far.dim = onbon.ResultNoCommand
	p := start(t, far, map[string]string{"brightness": "8"})
	show(t, p, "A001")
	if h := p.Health(); h.State != device.OK || !slices.Equal(far.lines(), []string{"A001"}) {
		t.Errorf("health %+v, shows %q", h, far.lines())
	}
}

func TestSchedule(t *testing.T) {
	for text, want := range map[string][2]byte{"": {0, 0}, "8": {8, 8}, "12:00=3": {3, 3}, "06:00=1 12:00=16": {16, 16}, "00:00=5 00:30=7": {5, 7}} {
		s, err := parseSchedule(text)
		if err != nil || s[0] != want[0] || s[47] != want[1] {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
	for _, bad := range []string{"0", "17", "8 9", "07:10=3", "25:00=3", "07:00=", "07:00=3 07:00=4", "x"} {
		if s, err := parseSchedule(bad); err == nil {
			t.Errorf("%q: %v", bad, s)
		}
	}
}

func TestFrameTooLongForTheProtocol(t *testing.T) {
	t.Parallel()
	far := newPanel()
	p := start(t, far, nil)
	show(t, p, "A001")
	var failed *device.Error
	err := p.Show(t.Context(), device.Frame{Lines: []string{strings.Repeat("长", onbon.MaxData)}})
	if !errors.As(err, &failed) || failed.Code != device.CodeUnsupported || failed.Retry {
		t.Errorf("got %v", err)
	}
	if got := far.lines(); !slices.Equal(got, []string{"A001"}) {
		t.Errorf("shows %q", got)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"width": "100", "rows": "0", "colour": "pink", "screen": "65534", "refresh": "1ms", "speed": "25", "font": "x",
		"colours": "calling=pink", "brightness": "17", "flash": "often", "flash_for": "1h", "x": "4", "y": "-1", "first_area": "250", "shared": "perhaps"})
}
