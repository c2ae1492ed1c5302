// Package soundcard plays announcements on a sound card of this machine, with aplay of alsa-utils. The sentence comes as sound
// already; the driver plays one after the other and knows by the player's exit when each has ended.
package soundcard

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
)

const (
	spare   = 5 * time.Second // that a player may take beside the sound itself
	longest = time.Minute     // a sentence
	killed  = time.Second     // a player that was stopped must be gone
)

// Card is one sound card. It implements device.Speaker and device.SelfTester.
type Card struct {
	cfg     registry.Config
	session *session.Session
	player  string
	alsa    string // ALSA's name of the card; empty: its default, or the card that a reference leads to
	volume  int    // percent, where an announcement says nothing
	poll    time.Duration
}

// New makes a card; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	c := &Card{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		player:  o.String("player", "aplay"),
		alsa:    o.String("alsa", ""),
		volume:  o.Int("volume", 80, 1, 100),
		poll:    o.Duration("poll", 5*time.Second, 20*time.Millisecond, time.Minute),
	}
	if cfg.Connect.TCP != "" {
		o.Reject("connect", "a sound card is a file such as /dev/snd/controlC0")
	}
	if strings.HasPrefix(c.alsa, "-") {
		o.Reject("alsa", "is no name of a card")
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Run implements device.Device.
func (c *Card) Run(ctx context.Context) error { return c.session.Run(ctx, c.open, c.serve) }

// Health implements device.Device.
func (c *Card) Health() device.Health { return c.session.Health() }

func (c *Card) open(context.Context) (transport.Conn, error) {
	_, err := c.there()
	return noLine{}, err
}

func (c *Card) serve(ctx context.Context, _ transport.Conn) error {
	return c.session.Every(ctx, c.poll, "check", func(context.Context, transport.Conn) error {
		if _, err := c.there(); err != nil {
			return fmt.Errorf("%w: %w", transport.ErrGone, err)
		}
		c.session.Good()
		return nil
	})
}

// there looks for the card and for the player, and gives what the player calls the card, empty for the default one. The card is not
// opened: others may play on it too.
func (c *Card) there() (alsa string, err error) {
	node, err := c.cfg.Connect.PathNow()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(node); err != nil {
		return "", &device.Error{Op: "open", Code: device.CodeOffline, Retry: true, Err: err}
	}
	if _, err := exec.LookPath(c.player); err != nil {
		return "", &device.Error{Op: "find the player", Code: device.CodeOffline, Retry: true, Err: err}
	}
	number, is := strings.CutPrefix(filepath.Base(node), "controlC")
	if c.alsa == "" && is && node != c.cfg.Connect.Path() { // a reference means this card, whatever its number is today
		return "plughw:" + number, nil
	}
	return c.alsa, nil
}

// Say implements device.Speaker. It returns when the player has ended, which is when the card has played the last sample.
func (c *Card) Say(ctx context.Context, a device.Announcement) error {
	op := c.cfg.Name + " say"
	if a.Sound == nil {
		return &device.Error{Op: op, Code: device.CodeUnsupported, Err: errors.New("a sound card cannot speak by itself")}
	}
	wav, err := a.Sound(ctx)
	if err != nil {
		return &device.Error{Op: op, Code: device.CodeUnsupported, Retry: ctx.Err() != nil, Err: err}
	}
	volume := a.Volume
	if volume == 0 {
		volume = c.volume
	}
	if err := c.play(ctx, "say", scaled(wav, volume)); err != nil {
		return err
	}
	c.session.Job()
	return nil
}

// SelfTest plays a tone.
func (c *Card) SelfTest(ctx context.Context) error { return c.play(ctx, "self-test", tone()) }

func (c *Card) play(ctx context.Context, op string, wav []byte) error {
	return c.session.Do(ctx, op, func(ctx context.Context, _ transport.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, longest+spare)
		defer cancel()
		alsa, err := c.there()
		if err != nil {
			return fmt.Errorf("%w: %w", transport.ErrGone, err)
		}
		args := []string{"-q"}
		if alsa != "" {
			args = append(args, "-D", alsa)
		}
		cmd := exec.CommandContext(ctx, c.player, append(args, "-")...)
		cmd.WaitDelay = killed
		cmd.Stdin = bytes.NewReader(wav)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				return context.DeadlineExceeded
			}
			if _, gone := c.there(); gone != nil {
				return fmt.Errorf("%w: %w", transport.ErrGone, gone)
			}
			detail := strings.TrimSpace(string(said.Bytes()[:min(said.Len(), 200)]))
			c.session.Degraded(device.CodeBadReply, detail)
			return &device.Error{Op: "play", Code: device.CodeBadReply, Retry: true, Err: fmt.Errorf("%w: %s", err, detail)}
		}
		c.session.Good()
		return nil
	})
}

// headerLen is where the samples begin in a WAV file as the agent makes it.
const headerLen = 44

// scaled gives a WAV file at a volume in percent: the card's own mixer belongs to others too.
func scaled(wav []byte, volume int) []byte {
	out := bytes.Clone(wav)
	for i := headerLen; i+1 < len(out); i += 2 {
		sample := int(int16(binary.LittleEndian.Uint16(out[i:]))) * volume / 100
		binary.LittleEndian.PutUint16(out[i:], uint16(int16(sample)))
	}
	return out
}
