package huidu

import (
	"errors"
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
	"halledge/drivers/registry"
	"halledge/firmware-protocols/huidu"
)

// glass is a card and its screen as the far end of a connection.
type glass struct {
	mu      sync.Mutex
	card    *huidu.Card
	results []string // given to programs before the true answer
	status  uint16   // of the version
	guid    string   // given out instead of the card's
	fault   bool     // answers orders with an error
	before  []huidu.Packet
	hearts  int
	greeted int
}

func newGlass() *glass { return &glass{card: huidu.NewCard("0a-1")} }

func (g *glass) with(change func(*glass)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (g *glass) lines() (lines []string) {
	g.with(func(g *glass) { lines = g.card.Lines() })
	return lines
}

func (g *glass) areas() (areas []huidu.Area) {
	g.with(func(g *glass) { areas = slices.Clone(g.card.Program().Areas) })
	return areas
}

func (g *glass) serve(rw io.ReadWriter) {
	farend.Answer(rw, &huidu.Decoder{}, func(p huidu.Packet) (out []byte) {
		for _, a := range g.answer(p) {
			b, err := a.Append(out)
			if err != nil {
				return nil
			}
			out = b
		}
		return out
	})
}

func (g *glass) answer(p huidu.Packet) []huidu.Packet {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Clone(g.before)
	isProgram := p.Command == huidu.CmdOrder && strings.Contains(string(p.Payload), huidu.MethodProgram)
	isGreeting := p.Command == huidu.CmdOrder && strings.Contains(string(p.Payload), huidu.MethodVersion)
	switch {
	case p.Command == huidu.CmdVersion:
		return append(out, huidu.AnswerVersion(g.status))
	case p.Command == huidu.CmdOrder && g.fault:
		return append(out, huidu.Fault(7).Packet())
	case isGreeting && g.guid != "":
		return append(out, answer(huidu.Answer{Session: g.guid, Method: huidu.MethodVersion, Result: huidu.ResultSuccess})...)
	case isProgram && len(g.results) > 0:
		result := g.results[0]
		g.results = g.results[1:]
		return append(out, answer(huidu.Answer{Session: "0a-1", Method: huidu.MethodProgram, Result: result})...)
	case p.Command == huidu.CmdHeartbeat:
		g.hearts++
	case isGreeting:
		g.greeted++
	}
	return append(out, g.card.Handle(p)...)
}

func answer(a huidu.Answer) []huidu.Packet {
	packets, err := huidu.Split(huidu.CmdOrderAnswer, a.XML())
	if err != nil {
		return nil
	}
	return packets
}

func options(more map[string]string) map[string]string {
	o := map[string]string{"poll": "50ms", "refresh": "1s", "reply_within": "500ms"}
	maps.Copy(o, more)
	return o
}

func TestConformance(t *testing.T) {
	drivertest.Screen(t, func(t *testing.T) drivertest.ScreenHarness {
		far := newGlass()
		return drivertest.ScreenHarness{
			Harness: drivertest.Harness{New: New, Options: options(nil), TCP: true, Far: far.serve},
			Shown:   far.lines,
			Blank:   func() { far.with(func(g *glass) { g.card = huidu.NewCard("0a-1") }) },
		}
	})
}

// run runs a screen driver on a card that is plugged in.
func run(t *testing.T, far *glass, more map[string]string) *Screen {
	t.Helper()
	line := drivertest.Socket(t, far.serve)
	d, err := New(registry.Config{Name: "hall.led", Connect: registry.Connect{TCP: line.Addr()}, Options: options(more), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	return d.(*Screen)
}

func start(t *testing.T, far *glass, more map[string]string) *Screen {
	t.Helper()
	s := run(t, far, more)
	drivertest.Until(t, "the screen", func() bool { return s.Health().State == device.OK })
	return s
}

func show(t *testing.T, s *Screen, f device.Frame) {
	t.Helper()
	if err := s.Show(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func TestColoursEffectsAndEarlierCalls(t *testing.T) {
	t.Parallel()
	far := newGlass()
	s := start(t, far, map[string]string{"rows": "3", "colour": "green", "colours": "calling=red", "flash_for": "1s", "refresh": "1m"})
	show(t, s, device.Frame{Scene: device.SceneCalling, Lines: []string{"请A002号", "到1号窗口"}, More: []string{"A001到2号窗口"}, Flash: true})
	areas := far.areas()
	if len(areas) != 3 || areas[0].Effect != huidu.MoveUp || areas[0].Colour != 0xFF0000 || areas[2].Effect != huidu.Immediate || areas[2].Colour != 0x00FF00 ||
		areas[1].Y != 32 || areas[1].Text != "到1号窗口" || areas[2].Text != "A001到2号窗口" {
		t.Errorf("%+v", areas)
	}
	drivertest.Until(t, "the text to stand", func() bool { return far.areas()[0].Effect == huidu.Immediate })

	long := "今日系统维护，办理时间推迟到十点，请耐心等候"
	show(t, s, device.Frame{Scene: device.SceneNotice, Lines: []string{long}, Flash: true})
	if a := far.areas()[0]; a.Text != long || a.Effect != huidu.RunLeft || a.Speed != 4 || a.Colour != 0x00FF00 {
		t.Errorf("%+v", a)
	}
	show(t, s, device.Frame{Scene: device.SceneWaiting, Lines: []string{"<欢迎> & 光临"}})
	if got := far.lines(); !slices.Equal(got, []string{"<欢迎> & 光临"}) {
		t.Errorf("shows %q", got)
	}
}

func TestBlinkIsSeenAndEnds(t *testing.T) {
	t.Parallel()
	far := newGlass()
	s := start(t, far, map[string]string{"flash": "blink", "flash_for": "1s", "refresh": "1m"})
	show(t, s, device.Frame{Lines: []string{"A001"}, Flash: true})
	drivertest.Until(t, "a dark moment", func() bool { return len(far.lines()) == 0 })
	drivertest.Until(t, "the text", func() bool { return slices.Equal(far.lines(), []string{"A001"}) })
}

// A card that started again gives out a new session, and is shown the frame nevertheless.
func TestCardThatStartedAgain(t *testing.T) {
	t.Parallel()
	far := newGlass()
	s := start(t, far, map[string]string{"refresh": "1m"})
	show(t, s, device.Frame{Lines: []string{"A001"}})
	far.with(func(g *glass) { g.card.Renew("0b-2") })
	show(t, s, device.Frame{Lines: []string{"A002"}})
	var greeted int
	far.with(func(g *glass) { greeted = g.greeted })
	if h := s.Health(); h.Counters.Failures != 0 || greeted != 2 || !slices.Equal(far.lines(), []string{"A002"}) {
		t.Errorf("health %+v, %d sessions, shows %q", h, greeted, far.lines())
	}
}

func TestIdleCardIsAskedWhetherItIsThere(t *testing.T) {
	t.Parallel()
	far := newGlass()
	start(t, far, map[string]string{"refresh": "1h"})
	drivertest.Until(t, "heartbeats", func() bool {
		var n int
		far.with(func(g *glass) { n = g.hearts })
		return n >= 3
	})
}

func TestAnswersThatAreNotYetGood(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*glass){
		"at it still":      func(g *glass) { g.results = []string{huidu.ResultDelayed, huidu.ResultDelayed} },
		"session over":     func(g *glass) { g.results = []string{huidu.ResultSession} },
		"heartbeat before": func(g *glass) { g.before = []huidu.Packet{{Command: huidu.CmdHeartbeat}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newGlass()
			s := start(t, far, nil)
			far.with(disturb)
			show(t, s, device.Frame{Lines: []string{"A001"}})
			if got := far.lines(); !slices.Equal(got, []string{"A001"}) {
				t.Errorf("shows %q", got)
			}
		})
	}
}

func TestCardThatRefuses(t *testing.T) {
	t.Parallel()
	for result, code := range map[string]device.Code{huidu.ResultIndex: device.CodeBadReply, huidu.ResultOccupied: device.CodeBusy} {
		far := newGlass()
		s := start(t, far, map[string]string{"refresh": "1h"})
		far.with(func(g *glass) { g.results = []string{result} })
		var failed *device.Error
		if err := s.Show(t.Context(), device.Frame{Lines: []string{"A001"}}); !errors.As(err, &failed) || failed.Code != code || !failed.Retry {
			t.Fatalf("%s: got %v", result, err)
		}
		drivertest.Until(t, "the frame", func() bool { return slices.Equal(far.lines(), []string{"A001"}) })
		drivertest.Until(t, "health", func() bool { return s.Health().State == device.OK })
	}
}

func TestCardThatIsNone(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*glass){
		"bad status":  func(g *glass) { g.status = 5 },
		"bad session": func(g *glass) { g.guid = `"><in method="x` },
		"errors":      func(g *glass) { g.fault = true },
	} {
		far := newGlass()
		far.with(disturb)
		s := run(t, far, nil)
		drivertest.Until(t, name, func() bool { h := s.Health(); return h.State == device.Offline && h.Code == device.CodeBadReply })
		far.with(func(g *glass) { g.status, g.guid, g.fault = 0, "", false })
		drivertest.Until(t, name+": the card", func() bool { return s.Health().State == device.OK })
	}
}

func TestFrameTooLongForACard(t *testing.T) {
	t.Parallel()
	far := newGlass()
	s := start(t, far, nil)
	var failed *device.Error
	err := s.Show(t.Context(), device.Frame{Lines: []string{strings.Repeat("长", huidu.MaxXML)}})
	if !errors.As(err, &failed) || failed.Code != device.CodeUnsupported || failed.Retry {
		t.Errorf("got %v", err)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"width": "7", "rows": "0", "row_height": "4", "size": "64", "colour": "pink", "colours": "calling=pink",
		"flash": "often", "speed": "-1", "font": strings.Repeat("x", 65), "refresh": "1ms", "unit": "1"})
}
