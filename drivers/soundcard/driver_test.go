package soundcard

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/sysfs"
	"halledge/drivers/registry"
)

// place is a machine with a card that can be pulled, and a program that stands for aplay.
type place struct{ dir string }

func newPlace(t *testing.T, player string) place {
	t.Helper()
	p := place{dir: t.TempDir()}
	if err := os.WriteFile(p.player(), []byte("#!/bin/sh\ncd "+p.dir+"\n"+player), 0o755); err != nil {
		t.Fatal(err)
	}
	p.plug(t)
	return p
}

func (p place) player() string { return filepath.Join(p.dir, "aplay") }
func (p place) card() string   { return filepath.Join(p.dir, "controlC0") }

func (p place) plug(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(p.card(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p place) unplug(t *testing.T) {
	t.Helper()
	if err := os.Remove(p.card()); err != nil {
		t.Fatal(err)
	}
}

func (p place) start(t *testing.T) device.Speaker {
	t.Helper()
	d, err := New(registry.Config{
		Name: "hall.speaker", Connect: registry.Connect{File: p.card()}, Log: slog.New(slog.DiscardHandler),
		Options: map[string]string{"player": p.player(), "alsa": "plughw:1,0", "poll": "20ms"},
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	return d.(device.Speaker)
}

// A reference leads to the card by whatever number it has, and the sentence is played on that card.
func TestCardIsFoundByItsReference(t *testing.T) {
	p := newPlace(t, `echo "$@" > args; cat > said`)
	m := sysfs.New(t)
	m.Node(m.Plug("1-2", "0d8c:0014", "", "USB Audio", "bus/usb/001/004"), "1-2:1.0", "sound", "controlC0", ".."+p.card())
	d, err := New(registry.Config{
		Name: "hall.speaker", Connect: registry.Connect{File: "usb:0d8c:0014@1-2", Kind: "sound", Root: m.Root}, Log: slog.New(slog.DiscardHandler),
		Options: map[string]string{"player": p.player(), "poll": "20ms"},
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	if err := d.(device.Speaker).Say(t.Context(), sounding(tone())); err != nil {
		t.Fatal(err)
	}
	if args, err := os.ReadFile(filepath.Join(p.dir, "args")); err != nil || string(args) != "-q -D plughw:0 -\n" {
		t.Errorf("the player was told %q, %v", args, err)
	}
	m.Unplug("1-2")
	drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
}

func sounding(wav []byte) device.Announcement {
	return device.Announcement{Sound: func(context.Context) ([]byte, error) { return wav, nil }}
}

func TestASentenceIsPlayedToItsEnd(t *testing.T) {
	p := newPlace(t, `echo "$@" > args; cat > said; echo ended > ended`)
	a := sounding(tone())
	a.Volume = 50
	if err := p.start(t).Say(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(filepath.Join(p.dir, "said"))
	if err != nil || len(said) != len(tone()) || string(said[:headerLen]) != string(tone()[:headerLen]) {
		t.Fatalf("%d bytes were played, want %d, %v", len(said), len(tone()), err)
	}
	loudest := func(wav []byte) (most int) {
		for i := headerLen; i < len(wav); i += 2 {
			most = max(most, int(int16(binary.LittleEndian.Uint16(wav[i:]))))
		}
		return most
	}
	if got, full := loudest(said), loudest(tone()); got != full/2 {
		t.Errorf("the loudest sample is %d at half of %d", got, full)
	}
	if args, err := os.ReadFile(filepath.Join(p.dir, "args")); err != nil || strings.TrimSpace(string(args)) != "-q -D plughw:1,0 -" {
		t.Errorf("the player got %q, %v", args, err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "ended")); err != nil {
		t.Error("Say returned before the player did:", err)
	}
}

func TestCardAndPlayerComeAndGo(t *testing.T) {
	p := newPlace(t, `cat > said`)
	d := p.start(t)
	p.unplug(t)
	drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
	drivertest.Fails(t, d.Say(t.Context(), sounding(tone())), device.CodeOffline, true)
	p.plug(t)
	drivertest.Reaches(t, d, device.OK, "")
	if err := d.(device.SelfTester).SelfTest(t.Context()); err != nil {
		t.Error(err)
	}
	if err := os.Remove(p.player()); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
}

func TestAPlayerThatRefusesIsNamed(t *testing.T) {
	p := newPlace(t, `cat > said; echo "audio open error: Device or resource busy" >&2; exit 1`)
	d := p.start(t)
	drivertest.Fails(t, d.Say(t.Context(), sounding(tone())), device.CodeBadReply, true)
}

func TestACancelledSentenceEndsAtOnce(t *testing.T) {
	p := newPlace(t, `cat > said; echo begun > begun; exec sleep 60`)
	d := p.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	call := make(chan error, 1)
	go func() { call <- d.Say(ctx, sounding(tone())) }()
	drivertest.Until(t, "the sentence to begin", func() bool { _, err := os.Stat(filepath.Join(p.dir, "begun")); return err == nil })
	before := time.Now()
	cancel()
	drivertest.Fails(t, <-call, device.CodeTimeout, true)
	if took := time.Since(before); took > drivertest.Patience {
		t.Errorf("took %v", took)
	}
}

func TestWithoutSoundNothingIsPlayed(t *testing.T) {
	p := newPlace(t, `cat > said`)
	d := p.start(t)
	drivertest.Fails(t, d.Say(t.Context(), device.Announcement{Text: "请A零零一号"}), device.CodeUnsupported, false)
	none := errors.New("no clips")
	err := d.Say(t.Context(), device.Announcement{Sound: func(context.Context) ([]byte, error) { return nil, none }})
	drivertest.Fails(t, err, device.CodeUnsupported, false)
	if !errors.Is(err, none) {
		t.Errorf("the reason is lost: %v", err)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"volume": "0", "alsa": "-Dhw", "poll": "1ns", "mixer": "PCM"})
	_, err := New(registry.Config{Name: "hall.speaker", Connect: registry.Connect{TCP: "127.0.0.1:9"}, Log: slog.New(slog.DiscardHandler)})
	drivertest.Fails(t, err, device.CodeBadConfig, false)
}
