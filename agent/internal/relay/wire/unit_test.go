package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"halledge/agent/internal/relay/wire"
)

func TestNext(t *testing.T) {
	answer := "RTSP/1.0 200 OK\r\nCSeq: 2\r\ncontent-length: 5\r\n\r\n$\x00\x00\x01a"
	tests := []struct {
		name  string
		in    string
		n     int
		frame bool
	}{
		{"nothing", "", 0, false},
		{"frame", "$\x00\x00\x03abcRTSP", 7, true},
		{"empty frame", "$\x01\x00\x00", 4, true},
		{"half a frame header", "$\x00", 0, true},
		{"half a frame", "$\x00\x00\x03ab", 0, true},
		{"answer whose body looks like a frame", answer + "$", len(answer), false},
		{"half a head", "RTSP/1.0 200 OK\r\nCSeq", 0, false},
		{"half a body", "RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, false},
		{"noise before a frame", "\r\n\x00$\x00\x00\x00", 3, false},
		{"noise before an answer", "\r\nRTSP/1.0", 2, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, frame, err := wire.Next([]byte(tt.in))
			if n != tt.n || frame != tt.frame || err != nil {
				t.Errorf("Next = %d, %v, %v; want %d, %v", n, frame, err, tt.n, tt.frame)
			}
		})
	}
}

func TestThreat03WhatDoesNotEndIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"endless head":    "RTSP/1.0 200 OK\r\n" + strings.Repeat("X: y\r\n", wire.MaxUnit/6+1),
		"huge body":       "RTSP/1.0 200 OK\r\nContent-Length: 70000\r\n\r\n",
		"negative length": "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
		"length overflow": "RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := wire.Next([]byte(in)); !errors.Is(err, wire.ErrOverlong) {
				t.Errorf("error %v, want ErrOverlong", err)
			}
		})
	}
}

// split cuts a stream that arrives in pieces of the given size, as the tap does.
func split(stream []byte, piece int) (units [][]byte, err error) {
	var hand []byte
	for len(stream) > 0 {
		k := min(piece, len(stream))
		hand, stream = append(hand, stream[:k]...), stream[k:]
		for {
			n, _, err := wire.Next(hand)
			if err != nil {
				return units, err
			}
			if n == 0 {
				break
			}
			units, hand = append(units, bytes.Clone(hand[:n])), hand[n:]
		}
	}
	return append(units, hand), nil
}

// Whatever a camera sends, nothing is lost or changed, and the frames do not depend on how the bytes arrive.
func FuzzNext(f *testing.F) {
	f.Add([]byte("$\x00\x00\x03abcRTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok$\x01\x00\x01x"), uint8(1))
	f.Add([]byte("\x00\x00GET x\r\n\r\n$\x00\x00\x00$"), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		whole, wholeErr := split(stream, len(stream)+1)
		parts, partsErr := split(stream, int(piece)+1)
		if (wholeErr == nil) != (partsErr == nil) {
			t.Fatalf("at once: %v, in pieces: %v", wholeErr, partsErr)
		}
		if wholeErr != nil {
			return
		}
		if !bytes.Equal(bytes.Join(whole, nil), stream) || !bytes.Equal(bytes.Join(parts, nil), stream) {
			t.Fatal("bytes were lost or changed")
		}
		if a, b := frames(whole), frames(parts); !bytes.Equal(a, b) {
			t.Fatalf("frames at once %q, in pieces %q", a, b)
		}
	})
}

func frames(units [][]byte) []byte {
	var out []byte
	for _, u := range units[:len(units)-1] { // the last one is what is still in hand
		if u[0] == '$' {
			out = append(out, u...)
		}
	}
	return out
}
