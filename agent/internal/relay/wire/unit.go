// Package wire gives what a relay must know of the bytes it carries without decoding them: where one RTSP unit ends, whether a
// viewer can begin with a packet, and which packets to leave out when the line is slow. It is pure: no network, no clock.
package wire

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// MaxUnit is the longest thing an RTSP connection may carry: an interleaved frame (RFC 2326 §10.12) has a 4-byte header and
// up to 65535 bytes. Text messages get the same bound; real ones have 2 kB.
const MaxUnit = 4 + 65535

// FrameHeader is the length of "$", channel and size before an interleaved packet.
const FrameHeader = 4

// ErrOverlong is the error of a message that does not end within MaxUnit.
var ErrOverlong = errors.New("message is longer than 64 KiB")

// Next gives the length of the unit that b begins with and whether it is an interleaved frame. The length is 0 when the
// unit is not complete yet. Bytes that begin neither a frame nor a message are a unit of their own, for the protocol library
// to skip: some cameras send a few between messages.
func Next(b []byte) (n int, frame bool, err error) {
	if len(b) == 0 {
		return 0, false, nil
	}
	if b[0] == '$' {
		if len(b) < FrameHeader {
			return 0, true, nil
		}
		if n = FrameHeader + int(b[2])<<8 + int(b[3]); n > len(b) {
			return 0, true, nil
		}
		return n, true, nil
	}
	if !upper(b[0]) {
		for n < len(b) && b[n] != '$' && !upper(b[n]) {
			n++
		}
		return n, false, nil
	}
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		if len(b) >= MaxUnit {
			return 0, false, ErrOverlong
		}
		return 0, false, nil
	}
	n = head + 4 + contentLength(b[:head])
	switch {
	case n > MaxUnit:
		return 0, false, ErrOverlong
	case n > len(b):
		return 0, false, nil
	}
	return n, false, nil
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

// contentLength reads the Content-Length of a message head. Nonsense counts as too long.
func contentLength(head []byte) int {
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		if err != nil {
			return MaxUnit
		}
		return int(n)
	}
	return 0
}
