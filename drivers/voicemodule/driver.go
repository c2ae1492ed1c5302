// Package voicemodule drives speech modules on a serial line: SYN6288 and XFS5152 and their relatives. They turn text into sound by
// themselves; the driver hands them one sentence after the other and knows when each has ended.
package voicemodule

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"
	"unicode/utf8"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/syn6288"
)

const (
	perRune = 250 * time.Millisecond // what a character takes at most at the usual speed
	perText = 500 * time.Millisecond // what every speech takes besides
	spare   = 3 * time.Second        // that a module may be late to say that it has ended
	between = time.Second            // two questions whether it has
)

const mandarin = "zh-CN"

// Module is one speech module. It implements device.Speaker and device.SelfTester.
type Module struct {
	cfg     registry.Config
	session *session.Session
	dialect dialect
	answers bool // the module's transmit line is wired
	volume  int  // percent, where an announcement says nothing
	rate    int  // percent, the same
	poll    time.Duration
	within  time.Duration // an answer must come

	// Of the open connection; used in the session's turns only.
	talking bool // a speech was begun and its end not heard
	owed    bool // an answer is still to come
}

// New makes a module; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	m := &Module{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		dialect: syn{},
		answers: o.Bool("answers", true),
		volume:  o.Int("volume", 80, 1, 100),
		rate:    o.Int("rate", 100, 50, 150),
		poll:    o.Duration("poll", 5*time.Second, 50*time.Millisecond, time.Minute),
		within:  o.Duration("reply_within", 500*time.Millisecond, 50*time.Millisecond, 10*time.Second),
	}
	if o.OneOf("protocol", "syn6288", "syn6288", "xfs5152") == "xfs5152" {
		m.dialect = xfs{}
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// Run implements device.Device.
func (m *Module) Run(ctx context.Context) error { return m.session.Run(ctx, m.cfg.Open, m.serve) }

// Health implements device.Device.
func (m *Module) Health() device.Health { return m.session.Health() }

// serve is one life of the connection.
func (m *Module) serve(ctx context.Context, _ transport.Conn) error {
	if err := m.session.Do(ctx, "start", m.start); err != nil {
		return err
	}
	return m.session.Every(ctx, m.poll, "check", m.check)
}

// start ends what an earlier program may have begun.
func (m *Module) start(ctx context.Context, conn transport.Conn) error {
	m.talking, m.owed = true, true
	return m.quieten(ctx, conn)
}

// quieten stops a speech whose end was not heard.
func (m *Module) quieten(_ context.Context, conn transport.Conn) error {
	if !m.talking {
		return nil
	}
	if err := m.write(conn, m.dialect.stop()); err != nil {
		return err
	}
	m.talking, m.owed = false, true
	return nil
}

// check asks a silent module whether it is there.
func (m *Module) check(_ context.Context, conn transport.Conn) error {
	if m.answers {
		if _, err := m.ask(conn, m.dialect.query(), syn6288.Idle, syn6288.Speaking); err != nil {
			return err
		}
	}
	m.session.Good()
	return nil
}

// Say implements device.Speaker. It says the text alone and returns when the module says that it has ended; a module that cannot say
// so gets the time the text may take.
func (m *Module) Say(ctx context.Context, a device.Announcement) error {
	if a.Language != "" && a.Language != mandarin {
		return &device.Error{Op: m.cfg.Name + " say", Code: device.CodeUnsupported, Err: errors.New("the module speaks Mandarin only")}
	}
	frames, err := m.dialect.speak(a.Text, cmp.Or(a.Volume, m.volume), cmp.Or(a.Rate, m.rate))
	if err != nil {
		return &device.Error{Op: m.cfg.Name + " say", Code: device.CodeUnsupported, Err: err}
	}
	err = m.session.Do(ctx, "say", func(ctx context.Context, conn transport.Conn) error {
		for _, f := range frames {
			if err := m.speak(ctx, conn, f); err != nil {
				return err
			}
		}
		m.session.Good()
		return nil
	})
	if err != nil {
		m.hush(ctx)
		return err
	}
	m.session.Job()
	return nil
}

// hush ends what is still being said of a sentence that nobody waits for any more. When the module cannot be reached now, the next
// turn does it.
func (m *Module) hush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.within)
	defer cancel()
	if err := m.session.Do(ctx, "stop", m.quieten); err != nil {
		m.cfg.Log.Debug("module not stopped", "error", err)
	}
}

// SelfTest says a sentence.
func (m *Module) SelfTest(ctx context.Context) error {
	return m.Say(ctx, device.Announcement{ID: "self-test", Text: "语音测试", Language: mandarin})
}

// speech is one frame and how long it may take.
type speech struct {
	frame []byte
	takes time.Duration
}

// newSpeech reckons how long a text takes at a speed in percent.
func newSpeech(frame []byte, text string, rate int) speech {
	letters := time.Duration(utf8.RuneCountInString(text)) * perRune
	return speech{frame: frame, takes: letters*100/time.Duration(rate) + perText}
}

// speak says one frame to its end. A frame that was refused is sent once more: a bad byte on the line is forgiven.
func (m *Module) speak(ctx context.Context, conn transport.Conn, s speech) error {
	if err := m.quieten(ctx, conn); err != nil {
		return err
	}
	m.talking = true
	if !m.answers {
		if err := m.write(conn, s.frame); err != nil {
			return err
		}
		if err := transport.Pause(ctx, s.takes); err != nil {
			return err
		}
		m.talking = false
		return nil
	}
	for try := 1; ; try++ {
		got, err := m.ask(conn, s.frame, syn6288.Accepted, syn6288.Rejected)
		if err != nil {
			return err
		}
		if got == syn6288.Accepted {
			break
		}
		if try == 2 {
			m.talking = false
			m.session.Degraded(device.CodeBadReply, "the module refuses the text")
			return &device.Error{Op: "say", Code: device.CodeBadReply, Err: errors.New("the module refuses the text")}
		}
	}
	if err := m.ending(conn, s.takes); err != nil {
		return err
	}
	m.talking = false
	return nil
}

// ending waits until the module has ended a speech. The word that says so may be lost on the line: a module that is silent for longer
// than the speech may take is asked, so that what everybody has heard is not said again.
func (m *Module) ending(conn transport.Conn, takes time.Duration) error {
	_, err := m.await(conn, takes, syn6288.Idle)
	for latest := time.Now().Add(takes + spare); errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(latest); {
		var got syn6288.Status
		if got, err = m.ask(conn, m.dialect.query(), syn6288.Idle, syn6288.Speaking); err != nil || got == syn6288.Idle {
			return err
		}
		_, err = m.await(conn, between, syn6288.Idle)
	}
	return err
}
