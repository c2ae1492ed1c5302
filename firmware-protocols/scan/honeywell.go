package scan

import (
	"errors"
	"fmt"
)

// Answer is what an engine said to a command.
type Answer uint8

// The answers, with the bytes Honeywell and Newland engines use.
const (
	Accepted Answer = 0x06 // ACK
	Unknown  Answer = 0x05 // ENQ: no such command
	Refused  Answer = 0x15 // NAK: the command exists, its value does not
)

// ErrReply says that bytes are no reply of the dialect.
var ErrReply = errors.New("scan: not a reply")

// ErrCommand says that a text cannot be a command of the dialect.
var ErrCommand = errors.New("scan: not a command")

const (
	syn        = 0x16
	maxCommand = 128 // characters of a menu command
)

// HoneywellTrigger presses or releases the trigger of a Honeywell engine in trigger mode (SYN T CR, SYN U CR). There is no
// reply. Metrologic, some Datalogic and many nameless engines speak the same.
func HoneywellTrigger(on bool) []byte {
	if on {
		return []byte{syn, 'T', '\r'}
	}
	return []byte{syn, 'U', '\r'}
}

// HoneywellMenu is a menu command: tag, sub-tag and data such as 232BAD9. keep stores it in flash, which wears out; else it
// lasts until power-off.
func HoneywellMenu(command string, keep bool) ([]byte, error) {
	if err := checkCommand(command, ".!"); err != nil {
		return nil, err
	}
	end := byte('!')
	if keep {
		end = '.'
	}
	return append(append([]byte{syn, 'M', '\r'}, command...), end), nil
}

// ParseHoneywellReply reads the reply to a menu command: the command again, with the data a query asked for, the answer and the
// storage character.
func ParseHoneywellReply(b []byte) (text string, a Answer, err error) {
	n := len(b)
	if n < 3 || b[n-1] != '.' && b[n-1] != '!' {
		return "", 0, fmt.Errorf("honeywell: %w", ErrReply)
	}
	text, a = string(b[:n-2]), Answer(b[n-2])
	if !a.known() || checkCommand(text, "") != nil {
		return "", 0, fmt.Errorf("honeywell: %w", ErrReply)
	}
	return text, a, nil
}

func (a Answer) known() bool { return a == Accepted || a == Unknown || a == Refused }

// checkCommand accepts printable ASCII without the characters that end a command.
func checkCommand(command, ends string) error {
	if command == "" || len(command) > maxCommand {
		return fmt.Errorf("%w: %d characters", ErrCommand, len(command))
	}
	for _, c := range []byte(command) {
		if c < 0x20 || c > 0x7E {
			return fmt.Errorf("%w: byte %#x", ErrCommand, c)
		}
		for _, end := range []byte(ends) {
			if c == end {
				return fmt.Errorf("%w: %q ends it", ErrCommand, c)
			}
		}
	}
	return nil
}
