package scan

import (
	"bytes"
	"fmt"
)

// Newland engines speak one of three dialects, by age: setup strings ($$$$#99900035;%%%%), unified frames (~ SOH 0000 …) and,
// in the small EM engines, frames that write registers (register.go).

// NewlandSetup is a setup string: a number such as 99900035 as if its bar code had been scanned.
func NewlandSetup(number string) ([]byte, error) {
	if len(number) != 8 {
		return nil, fmt.Errorf("newland: %w: %d digits, want 8", ErrCommand, len(number))
	}
	for _, c := range []byte(number) {
		if c < '0' || c > '9' {
			return nil, fmt.Errorf("newland: %w: byte %#x", ErrCommand, c)
		}
	}
	return []byte("$$$$#" + number + ";%%%%"), nil
}

// NewlandSetupTrigger starts or stops reading in the dialect of setup strings. There is no reply.
func NewlandSetupTrigger(on bool) []byte {
	if on {
		return []byte("$$$$#99900035;%%%%")
	}
	return []byte("$$$$#99900036;%%%%")
}

const (
	unifiedHead  = "~\x010000"
	unifiedReply = "\x02\x010000"
	unifiedTail  = ";\x03"
)

// NewlandUnified is a unified frame: tag, sub-tag and data such as SCNTRG1, several joined with ";". keep stores the setting in
// flash, which wears out; else it lasts until power-off.
func NewlandUnified(command string, keep bool) ([]byte, error) {
	if err := checkCommand(command, ""); err != nil {
		return nil, fmt.Errorf("newland: %w", err)
	}
	storage := "#"
	if keep {
		storage = "@"
	}
	return []byte(unifiedHead + storage + command + unifiedTail), nil
}

// NewlandUnifiedTrigger starts or stops reading in the dialect of unified frames.
func NewlandUnifiedTrigger(on bool) []byte {
	if on {
		return []byte(unifiedHead + "#SCNTRG1" + unifiedTail)
	}
	return []byte(unifiedHead + "#SCNTRG0" + unifiedTail)
}

// ParseNewlandUnifiedReply reads the reply to a unified frame: the command again and the answer before the end mark. (That
// refusals put NAK and ENQ where the manual's example has ACK is our reading of it.)
func ParseNewlandUnifiedReply(b []byte) (text string, a Answer, err error) {
	body, head := bytes.CutPrefix(b, []byte(unifiedReply))
	body, tail := bytes.CutSuffix(body, []byte(unifiedTail))
	if n := len(body); head && tail && n >= 3 && (body[0] == '@' || body[0] == '#') {
		text, a = string(body[1:n-1]), Answer(body[n-1])
		if a.known() && checkCommand(text, "") == nil {
			return text, a, nil
		}
	}
	return "", 0, fmt.Errorf("newland: %w", ErrReply)
}
