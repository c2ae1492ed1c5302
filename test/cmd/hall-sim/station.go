package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"halledge/drivers/drivertest/farend"
	"halledge/drivers/drivertest/farend/lens"
	"halledge/drivers/drivertest/farend/voicebox"
	"halledge/firmware-protocols/escpos"
	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/pad21"
	"halledge/firmware-protocols/sdt"
	"halledge/test/fakes/hardware"
)

// station is the simulated hall's hardware, each device on a pseudo-terminal behind a stable link, or on a port of the network.
type station struct {
	dir string // of the links

	printer *hardware.Printer
	reader  *hardware.CardReader
	scanner *hardware.Scanner
	camera  *lens.Camera
	panel   *hardware.Panel
	pad     *hardware.Pad
	keyPad  *hardware.KeyPad
	rater   *hardware.Rater
	speaker *voicebox.Box
	corner  *voicebox.Box // beside window 2
	moments moments

	strip         *hardware.Strip
	registerStrip *hardware.RegisterStrip
	colour        *hardware.ColourScreen

	mu    sync.Mutex
	lines map[string]farend.Line
	in    map[string]bool
	noise map[string]*atomic.Bool // true: what the device says arrives as noise
}

// devices are the names of the demo's devices and their class and model.
var devices = [...]struct{ name, class, model string }{
	{"kiosk-1.printer", "printer", "escpos-80"},
	{"kiosk-1.idcard", "idcard", "generic-sdt"},
	{"kiosk-1.scanner", "scanner", "serial-scanner"},
	{"desk-1.scanner", "scanner", "usb-camera"},
	{"hall.led", "screen", "onbon-k"},
	{"window-1.pad", "callpad", "halledge-pad"},
	{"hall.speaker", "speaker", "syn6288"},
	{"window-1.led", "screen", "strip-at"},
	{"window-2.led", "screen", "strip-modbus"},
	{"window-2.pad", "callpad", "pad-21-keys"},
	{"window-2.rater", "ratingpad", "halledge-rater"},
	{"screen-1.led", "screen", "huidu-fullcolor"},
	{"window-2.speaker", "speaker", "xfs5152"},
}

// onNetwork are those that have a plug for the network instead of a serial one.
var onNetwork = []string{"screen-1.led"}

func deviceNames() []string {
	var names []string
	for _, d := range devices {
		names = append(names, d.name)
	}
	return names
}

func newStation(dir string, out func(hardware.Slip)) (*station, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &station{
		dir: dir, printer: hardware.NewPrinter(out), reader: &hardware.CardReader{}, scanner: &hardware.Scanner{}, camera: &lens.Camera{},
		pad: hardware.NewPad(1), keyPad: hardware.NewKeyPad(1), rater: hardware.NewRater(1), speaker: hardware.NewSpeaker("syn6288"), corner: hardware.NewSpeaker("xfs5152"),
		lines: map[string]farend.Line{}, in: map[string]bool{}, noise: map[string]*atomic.Bool{},
	}
	var err error
	if s.strip, err = hardware.NewStrip(1); err != nil {
		return nil, err
	}
	s.registerStrip, s.colour = hardware.NewRegisterStrip(1), hardware.NewColourScreen()
	s.panel = hardware.NewPanel(1, s.moments.changed)
	pad := func(rw io.ReadWriter) { s.pad.Serve(listening{rw, s.moments.asked}) }
	serve := map[string]farend.Serve{
		"kiosk-1.printer": s.printer.Serve, "kiosk-1.idcard": s.reader.Serve, "kiosk-1.scanner": s.scanner.Serve, "desk-1.scanner": s.camera.Serve,
		"hall.led": s.panel.Serve, "window-1.pad": pad, "hall.speaker": s.speaker.Serve,
		"window-1.led": s.strip.Serve, "window-2.led": s.registerStrip.Serve,
		"window-2.pad": s.keyPad.Serve, "window-2.rater": s.rater.Serve, "screen-1.led": s.colour.Serve,
		"window-2.speaker": s.corner.Serve,
	}
	for _, d := range devices {
		noise := new(atomic.Bool)
		s.noise[d.name] = noise
		line, err := s.line(d.name, func(rw io.ReadWriter) { serve[d.name](disturbed{rw, noise}) })
		if err == nil {
			s.lines[d.name] = line
			err = s.plug(d.name)
		}
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// line gives the cable of a device.
func (s *station) line(device string, serve farend.Serve) (farend.Line, error) {
	if slices.Contains(onNetwork, device) {
		return farend.NewTCP(serve)
	}
	return farend.NewPTY(s.path(device), serve), nil
}

// connect gives where the agent finds a device, as its configuration has it.
func (s *station) connect(device string) string {
	if line, ok := s.lines[device].(*farend.TCP); ok {
		return fmt.Sprintf("{tcp: %q}", line.Addr())
	}
	return fmt.Sprintf("{serial: %q}", s.path(device))
}

// disturbed is a line that can turn all that is said on it into bytes that mean nothing to anybody.
type disturbed struct {
	io.ReadWriter
	on *atomic.Bool
}

func (d disturbed) Write(b []byte) (int, error) {
	if d.on.Load() {
		b = bytes.Repeat([]byte{0xFF}, len(b))
	}
	return d.ReadWriter.Write(b)
}

func (s *station) disturb(device string, on bool) error {
	noise := s.noise[device]
	if noise == nil {
		return fmt.Errorf("no device %q", device)
	}
	noise.Store(on)
	return nil
}

// What a scanner can send instead of a code.
const (
	garbage = "garbage"
	tooLong = "too-long"
)

// scan lets the scanner send a code, or what is none.
func (s *station) scan(r scanRequest) error {
	var ok bool
	var err error
	switch {
	case r.Camera:
		ok, err = s.camera.Pass(r.Payload)
	case r.Flaw == garbage:
		ok = s.scanner.Spoil()
	case r.Flaw == tooLong:
		ok = s.scanner.Overlong()
	default:
		ok = s.scanner.Scan(r.Payload)
	}
	if err == nil && !ok {
		err = errors.New("the scanner is unplugged")
	}
	return err
}

func (s *station) path(device string) string { return filepath.Join(s.dir, device) }

// pty is the terminal behind a device's link while it is plugged in; empty for one on the network.
func (s *station) pty(device string) string {
	target, err := os.Readlink(s.path(device))
	if err != nil {
		return ""
	}
	return target
}

func (s *station) plug(device string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.lines[device]
	switch {
	case line == nil:
		return fmt.Errorf("no device %q", device)
	case s.in[device]:
		return nil
	}
	if err := line.Plug(); err != nil {
		return err
	}
	s.in[device] = true
	return nil
}

func (s *station) unplug(device string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.lines[device]
	if line == nil {
		return fmt.Errorf("no device %q", device)
	}
	s.in[device] = false
	return line.Unplug()
}

func (s *station) close() (err error) {
	for _, d := range devices {
		if s.lines[d.name] != nil {
			err = errors.Join(err, s.unplug(d.name))
		}
	}
	return err
}

func (s *station) paper(device, state string) error {
	if device != "kiosk-1.printer" {
		return fmt.Errorf("%q has no paper", device)
	}
	if state != "out" && state != "low" && state != "ok" && state != "jam" {
		return fmt.Errorf("paper is out, low, ok or jam, not %q", state)
	}
	s.printer.Set(func(st *escpos.Status) {
		if state == "jam" { // somebody has taken the paper out of it, and the printer does not know
			st.Cutter, st.Error, st.Offline = true, true, true
			return
		}
		st.PaperEnd, st.PaperStop = state == "out", state == "out"
		st.Offline = state == "out" || st.Cutter
		st.NearEnd = state != "ok"
	})
	return nil
}

// padKeys are the keys of window 1's pad, by the words of hall-sim press.
var padKeys = map[string]modbus.PadKey{
	"next": modbus.PadNext, "recall": modbus.PadRecall, "pass": modbus.PadPass, "pause": modbus.PadPause, "resume": modbus.PadResume,
	"login": modbus.PadLogin, "logout": modbus.PadLogout, "finish": modbus.PadFinish, "start": modbus.PadStart, "hold": modbus.PadHold,
	"return": modbus.PadReturn, "abandon": modbus.PadAbandon, "transfer": modbus.PadTransfer, "rate": modbus.PadRate,
	"confirm": modbus.PadConfirm, "cancel": modbus.PadCancel,
}

// keyPadKeys are those of window 2's, which has 21.
var keyPadKeys = map[string]pad21.Key{
	"next": pad21.KeyCall, "recall": pad21.KeyRecall, "rate": pad21.KeyRate, "pause": pad21.KeyPause, "transfer": pad21.KeyTransfer,
	"confirm": pad21.KeyConfirm, "cancel": pad21.KeyCancel,
}

// press is a finger on a key of a window's pad: a digit, or a key by its word.
func (s *station) press(r pressRequest) error {
	var digit int
	if _, err := fmt.Sscanf(r.Key, "%1d", &digit); err != nil {
		digit = -1
	}
	if r.Window != "2" {
		k, known := padKeys[r.Key]
		switch {
		case digit >= 0:
			k = modbus.PadDigit0 + modbus.PadKey(digit)
		case !known:
			return fmt.Errorf("window 1's pad has no key %q", r.Key)
		}
		s.pad.Press(k)
		return nil
	}
	k, known := keyPadKeys[r.Key]
	switch {
	case digit >= 0:
		k = pad21.Key(digit)
	case !known:
		return fmt.Errorf("window 2's pad has no key %q", r.Key)
	}
	if !s.keyPad.Press(k) {
		return errors.New("window 2's pad is unplugged")
	}
	return nil
}

// rate is a citizen's finger on window 2's rating device.
func (s *station) rate(stars int) error {
	if !s.rater.Rate(stars) {
		return errors.New("nobody is asked for a rating at window 2")
	}
	return nil
}

// people are invented: region 991101 is not assigned to any place, sequence 000 to nobody, nationality UTO to no country. The third
// and the fourth are old enough for the elders' line; the last three have the other cards: a residence permit of Hong Kong, and those
// of foreigners of 2017 and 2023.
var people = [...]sdt.Card{
	person("测试甲", sdt.Male, "991101199003070016"),
	person("测试乙", sdt.Female, "991101198811120021"),
	person("测试丙", sdt.Male, "991101195003070018"),
	person("测试丁", sdt.Female, "991101194806150025"),
	person("测试戊", sdt.Male, "991101200105040032"),
	person("测试己", sdt.Female, "991101196509210043"),
	other(sdt.HMT, "测试庚", "", "810000199003070007"),
	other(sdt.Foreigner2017, "测试辛", "TEST, SPECIMEN ONE", "UTO990190030710"),
	other(sdt.Foreigner2023, "测试壬", "TEST, SPECIMEN TWO", "999000199003070003"),
}

// other is somebody with another card than a resident's.
func other(kind sdt.Kind, name, english, number string) sdt.Card {
	c := sdt.Card{
		Kind: kind, Name: sdt.NewPrivate(name), EnglishName: sdt.NewPrivate(english), Sex: sdt.Female, Birth: sdt.NewPrivate("19900307"),
		Number: sdt.NewPrivate(number), ValidFrom: "20240101", ValidTo: "20290101",
	}
	if kind == sdt.HMT {
		c.Address, c.Issuer = sdt.NewPrivate("测试省测试市测试路2号"), "测试市公安局"
		c.PassNumber, c.Issues = sdt.NewPrivate("H00000000"), "01"
	} else {
		c.Nationality = "UTO"
	}
	return c
}

func person(name string, sex sdt.Sex, number string) sdt.Card {
	return sdt.Card{
		Kind: sdt.Resident, Name: sdt.NewPrivate(name), Sex: sex, EthnicCode: "01", Birth: sdt.NewPrivate(number[6:14]),
		Address: sdt.NewPrivate("测试省测试市测试路1号"), Number: sdt.NewPrivate(number), Issuer: "测试市公安局",
		ValidFrom: "20200101", ValidTo: "20400101",
	}
}

// lastSaid is how many sentences look gives.
const lastSaid = 12

// spoken lists what was said last, oldest first; what was cut off or is still being said ends in dots.
func spoken(said []voicebox.Said) string {
	var lines []string
	for _, s := range said[max(0, len(said)-lastSaid):] {
		if !s.Ended {
			s.Text += " …"
		}
		lines = append(lines, s.Text)
	}
	return strings.Join(lines, "\n")
}

// look gives what a device shows or said.
func (s *station) look(device string) (string, error) {
	switch device {
	case "hall.led":
		return strings.Join(s.panel.Lines(), "\n"), nil
	case "screen-1.led":
		return strings.Join(s.colour.Lines(), "\n"), nil
	case "window-1.led":
		return s.strip.Text(), nil
	case "window-2.led":
		return s.registerStrip.Text(), nil
	case "window-1.pad":
		d := s.pad.Display()
		return fmt.Sprintf("%s waiting=%d state=%d", d.Number, d.Waiting, d.State), nil
	case "window-2.pad":
		waiting, ticket := s.keyPad.Shows()
		return fmt.Sprintf("waiting=%s ticket=%s", waiting, ticket), nil
	case "window-2.rater":
		text, _ := s.rater.Asks()
		return text, nil
	case "hall.speaker":
		return spoken(s.speaker.Said()), nil
	case "window-2.speaker":
		return spoken(s.corner.Said()), nil
	}
	return "", fmt.Errorf("%q shows nothing", device)
}
