package linescanner

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/scan"
)

const (
	maxSettings = 16
	settingTry  = 3 // times: an engine that was just plugged in may not listen yet
)

// setting is a command that sets the engine up. It lasts until the engine loses its power: flash wears out.
type setting struct {
	text     string // as in the configuration
	command  []byte
	answered func(got []byte) (done bool, err error)
}

// settings reads the option of that name: commands in the dialect of the trigger, with a space between two.
func settings(o *registry.Options, dialect string) []setting {
	words := strings.Fields(o.String("settings", ""))
	if len(words) > maxSettings {
		o.Reject("settings", fmt.Sprintf("at most %d commands", maxSettings))
		return nil
	}
	var all []setting
	for _, w := range words {
		s := setting{text: w}
		var err error
		switch dialect {
		case "honeywell":
			s.command, err = scan.HoneywellMenu(w, false)
			s.answered = menuAnswered
		case "newland_unified":
			s.command, err = scan.NewlandUnified(w, false)
			s.answered = unifiedAnswered
		case "newland_register":
			s.command, err = registerWrite(w)
			s.answered = registerAnswered
		default:
			err = errors.New("the engine of this trigger takes none")
		}
		if err != nil {
			o.Reject("settings", w+": "+err.Error())
			continue
		}
		all = append(all, s)
	}
	return all
}

// registerWrite makes the command of ADDRESS=DATA, both hexadecimal.
func registerWrite(text string) ([]byte, error) {
	address, data, ok := strings.Cut(text, "=")
	where, err := strconv.ParseUint(address, 16, 16)
	what, bad := hex.DecodeString(data)
	if !ok || err != nil || bad != nil || len(what) == 0 {
		return nil, errors.New("want ADDRESS=DATA, both hexadecimal")
	}
	return scan.RegisterWrite(uint16(where), what...)
}

func menuAnswered(got []byte) (bool, error) {
	if len(got) == 0 || got[len(got)-1] != '!' {
		return false, nil
	}
	_, a, err := scan.ParseHoneywellReply(got)
	if err == nil && a != scan.Accepted {
		err = fmt.Errorf("the engine refused with %#x", a)
	}
	return true, err
}

// setUp sends the settings. An engine that does not take one reads codes all the same, and its health says which. A code that is read
// meanwhile is lost. It fails with the errors of the line.
func (s *Scanner) setUp(conn transport.Conn) error {
	s.refused = ""
	for _, one := range s.options.settings {
		err := one.send(conn)
		if err == nil {
			continue
		}
		if gone := (*device.Error)(nil); errors.As(err, &gone) || errors.Is(err, os.ErrClosed) {
			return err
		}
		s.refused = one.text + ": " + err.Error()
		s.cfg.Log.Warn("scanner_setting_refused", "setting", one.text, "error", err)
	}
	return nil
}

func (s setting) send(conn transport.Conn) (err error) {
	for range settingTry {
		if err = send(conn, s.command); err != nil {
			return err
		}
		if err = s.answer(conn); err == nil {
			return nil
		}
		if gone := (*device.Error)(nil); errors.As(err, &gone) || errors.Is(err, os.ErrClosed) {
			return err
		}
	}
	return err
}

// answer waits for the answer to a setting.
func (s setting) answer(conn transport.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	got := make([]byte, 0, maxAnswer)
	for len(got) < maxAnswer {
		n, err := conn.Read(got[len(got):maxAnswer])
		got = got[:len(got)+n]
		if done, refused := s.answered(got); done {
			return refused
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errors.New("no answer")
		}
		if err != nil {
			return err
		}
	}
	return errors.New("no end of the answer")
}

// well says that the scanner works, or what is not as it should be all the same.
func (s *Scanner) well() {
	s.unread.Read()
	if s.refused != "" {
		s.session.Degraded(device.CodeBadConfig, s.refused)
	}
}
