package sdt

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// maxBuffered bounds what a decoder keeps: two frames of the largest size.
const maxBuffered = 2 * (headerLen + MaxLength)

// ReplyDecoder cuts a reader's byte stream into replies. The zero value is ready.
type ReplyDecoder struct{ s scanner }

// Push takes received bytes. At most two frames are kept; what is older than that is thrown away.
func (d *ReplyDecoder) Push(p []byte) { d.s.push(p) }

// Next gives the next whole reply, if there is one.
func (d *ReplyDecoder) Next() (Reply, bool) {
	body, ok := d.s.next(minReply)
	if !ok {
		return Reply{}, false
	}
	return Reply{CardStatus: binary.BigEndian.Uint16(body), Status: Status(body[2]), data: body[3:]}, true
}

// Reset forgets and wipes everything received so far. Call it before a request, so that a late answer is not taken for this one's.
func (d *ReplyDecoder) Reset() { d.s.reset() }

// Begun reports whether a reply has begun since the last Reset, be it whole or damaged. A host's own request that comes back, and
// noise, are no beginning of one.
func (d *ReplyDecoder) Begun() bool { return d.s.begun }

// Garbage counts the bytes thrown away because they belonged to no good frame.
func (d *ReplyDecoder) Garbage() uint64 { return d.s.garbage }

// RequestDecoder cuts a host's byte stream into requests: the reader's side. The zero value is ready.
type RequestDecoder struct{ s scanner }

// Push takes received bytes. At most two frames are kept; what is older than that is thrown away.
func (d *RequestDecoder) Push(p []byte) { d.s.push(p) }

// Next gives the next whole request, if there is one.
func (d *RequestDecoder) Next() (Request, bool) {
	body, ok := d.s.next(minRequest)
	if !ok {
		return Request{}, false
	}
	return Request{Command: Command(binary.BigEndian.Uint16(body)), Data: body[2:]}, true
}

// Garbage counts the bytes thrown away because they belonged to no good frame.
func (d *RequestDecoder) Garbage() uint64 { return d.s.garbage }

// scanner finds frames in a stream. After a preamble that leads to nothing it goes on one byte further, so that a frame
// hidden behind noise or behind a cut frame is still found.
type scanner struct {
	buf     []byte
	given   int // bytes at the start of buf that belong to the frame handed out last
	garbage uint64
	begun   bool // a frame's head came
}

func (s *scanner) push(p []byte) {
	s.release()
	if over := len(p) - maxBuffered; over > 0 {
		s.garbage += uint64(over)
		p = p[over:]
	}
	if over := len(s.buf) + len(p) - maxBuffered; over > 0 {
		s.skip(over)
	}
	s.buf = append(s.buf, p...)
}

// next gives the body of the next frame without its check byte.
func (s *scanner) next(minLength int) ([]byte, bool) {
	s.release()
	i := 0
	for {
		k := bytes.Index(s.buf[i:], []byte(preamble))
		if k < 0 {
			for i < len(s.buf) && !strings.HasPrefix(preamble, string(s.buf[i:min(len(s.buf), i+len(preamble))])) {
				i++
			}
			s.skip(i)
			return nil, false
		}
		i += k
		rest := s.buf[i:]
		if len(rest) < headerLen {
			s.skip(i)
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(rest[len(preamble):]))
		if n < minLength || n > MaxLength {
			i++
			continue
		}
		s.begun = true
		if len(rest) < headerLen+n {
			s.skip(i)
			return nil, false
		}
		if xor(rest[len(preamble):headerLen+n]) != 0 {
			i++
			continue
		}
		s.skip(i)
		s.given = headerLen + n
		return s.buf[headerLen : headerLen+n-1], true
	}
}

// release drops the frame handed out last.
func (s *scanner) release() {
	s.drop(s.given)
	s.given = 0
}

func (s *scanner) skip(n int) {
	s.drop(n)
	s.garbage += uint64(n)
}

// drop removes the first n bytes and wipes the room they free, because they may be a card.
func (s *scanner) drop(n int) {
	if n == 0 {
		return
	}
	left := copy(s.buf, s.buf[n:])
	clear(s.buf[left:])
	s.buf = s.buf[:left]
}

func (s *scanner) reset() {
	s.release()
	s.skip(len(s.buf))
	s.begun = false
}
