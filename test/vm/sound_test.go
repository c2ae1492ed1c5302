//go:build vm

package vm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// snd-aloop is a card whose one end records what the other one plays, sample by sample.
const (
	card      = "/dev/snd/by-path/platform-snd_aloop.0" // a link to its controlC
	speaker   = "plughw:Loopback,0,0"
	other     = "hw:Loopback,1,0"
	cardState = "/proc/asound/Loopback/"
	rate      = 16000
)

// wave makes a sentence: a WAV file and its samples, no two pieces of which are alike.
func wave(length time.Duration) (file, samples []byte) {
	state := uint32(1)
	for range int(length.Seconds() * rate) {
		state = state*1664525 + 1013904223 // Knuth's quick generator
		samples = binary.LittleEndian.AppendUint16(samples, uint16(state>>16))
	}
	file = append(file, "RIFF"...)
	file = binary.LittleEndian.AppendUint32(file, uint32(36+len(samples)))
	file = append(file, "WAVEfmt "...)
	for _, v := range []uint32{16, 1 | 1<<16, rate, 2 * rate, 2 | 16<<16} { // PCM, one channel, 16 bits
		file = binary.LittleEndian.AppendUint32(file, v)
	}
	file = append(file, "data"...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(samples)))
	return append(file, samples...), samples
}

func sentence(file []byte) device.Announcement {
	return device.Announcement{Volume: 100, Sound: func(context.Context) ([]byte, error) { return file, nil }}
}

// recording is what the other end of the card hears.
type recording struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (r *recording) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes.Write(b)
}

// of gives how many of the pieces of a sentence it has whole. One that crosses a jump of the card's slow clock is not.
func (r *recording) of(samples []byte) (have, all int) {
	const piece = 2 * rate / 50 // 20 ms
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; len(samples) >= piece; samples = samples[piece:] {
		all++
		if bytes.Contains(r.bytes.Bytes(), samples[:piece]) {
			have++
		}
	}
	return have, all
}

// hears waits until the other end has heard a sentence. The clocks of an emulated machine are late now and then, and the two ends of the
// card lose the piece that is under way: so it is four of five.
func (r *recording) hears(t *testing.T, samples []byte) {
	t.Helper()
	have, all := 0, 0
	t.Cleanup(func() { t.Logf("the other end heard %d of %d pieces", have, all) })
	drivertest.Until(t, "the other end to hear the sentence", func() bool {
		have, all = r.of(samples)
		return 5*have >= 4*all
	})
}

// record listens at the other end until the test ends.
func record(t *testing.T) *recording {
	t.Helper()
	r := &recording{}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "arecord", "-q", "-D", other, "-f", "S16_LE", "-r", "16000", "-c", "1", "-t", "raw")
	cmd.Stdout = r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was stopped
	})
	runs(t, "pcm1c")
	return r
}

// runs waits until a stream of the card plays or records.
func runs(t *testing.T, stream string) {
	t.Helper()
	drivertest.Until(t, stream+" to run", func() bool {
		state, err := os.ReadFile(cardState + stream + "/sub0/status")
		return err == nil && strings.Contains(string(state), "state: RUNNING")
	})
}

func newSpeaker(t *testing.T) device.Speaker {
	t.Helper()
	d := start(t, device.ClassSpeaker, "sound-card", registry.Connect{File: card}, map[string]string{"alsa": speaker, "poll": "100ms"})
	drivertest.Reaches(t, d, device.OK, "")
	return d.(device.Speaker)
}

func TestASentenceIsHeardWhole(t *testing.T) {
	belongs(t, "/dev/snd/controlC0", "audio")
	d := newSpeaker(t)
	heard := record(t)
	const length = 2 * time.Second
	file, samples := wave(length)
	before := time.Now()
	if err := d.Say(t.Context(), sentence(file)); err != nil {
		t.Fatal(err)
	}
	took := time.Since(before)
	if took < length*9/10 {
		t.Errorf("a sentence of %v is said to have ended after %v", length, took)
	}
	t.Logf("a sentence of %v took %v", length, took.Round(time.Millisecond))
	heard.hears(t, samples)
}

func TestASentenceOnABusyCardIsRefused(t *testing.T) {
	d := newSpeaker(t)
	file, _ := wave(time.Minute)
	other := exec.Command("aplay", "-q", "-D", speaker, "-")
	other.Stdin = bytes.NewReader(file)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	runs(t, "pcm0p")
	var de *device.Error
	err := d.Say(t.Context(), sentence(file))
	if !errors.As(err, &de) || de.Code != device.CodeBadReply || !strings.Contains(err.Error(), "busy") {
		t.Errorf("got %v", err)
	}
}

func TestACardIsPulledInTheMiddleOfASentence(t *testing.T) {
	d := newSpeaker(t)
	file, _ := wave(time.Minute)
	said := make(chan error, 1)
	go func() { said <- d.Say(t.Context(), sentence(file)) }()
	runs(t, "pcm0p")
	plug := func(name string) {
		if err := os.WriteFile("/sys/bus/platform/drivers/snd_aloop/"+name, []byte("snd_aloop.0"), 0o200); err != nil {
			t.Fatal(err)
		}
	}
	plug("unbind")
	var de *device.Error
	if err := drivertest.Next(t, d, said); !errors.As(err, &de) || de.Code != device.CodeOffline {
		t.Errorf("got %v", err)
	}
	drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
	before := time.Now()
	plug("bind")
	drivertest.Reaches(t, d, device.OK, "")
	back(t, before)
	heard := record(t)
	file, samples := wave(time.Second)
	if err := d.Say(t.Context(), sentence(file)); err != nil {
		t.Fatal(err)
	}
	heard.hears(t, samples)
}
