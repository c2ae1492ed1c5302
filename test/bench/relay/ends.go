package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// raw begins a connection of the floor, which speaks no RTSP.
const raw = "RAW\r\n"

const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" +
	"a=fmtp:96 packetization-mode=1\r\na=control:video\r\n"

// ends are all cameras and the node, written by hand so that they cost little: what is measured is between them.
type ends struct {
	began   time.Time
	cameras net.Listener
	node    net.Listener
	film    []picture
	running sync.WaitGroup

	bytes   atomic.Int64
	packets atomic.Int64
	lost    atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
	up    int // streams that arrive
	late  []time.Duration
}

func open() (*ends, error) {
	cameras, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	node, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, cameras.Close())
	}
	e := &ends{began: time.Now(), cameras: cameras, node: node, film: film(), conns: make(map[net.Conn]bool)}
	e.accept(cameras, e.camera)
	e.accept(node, e.receive)
	return e, nil
}

func (e *ends) close() {
	_ = e.cameras.Close()
	_ = e.node.Close()
	e.mu.Lock()
	for c := range e.conns {
		_ = c.Close()
	}
	e.mu.Unlock()
	e.running.Wait()
}

func (e *ends) accept(ln net.Listener, serve func(c net.Conn, r *bufio.Reader)) {
	e.running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns[c] = true
			e.mu.Unlock()
			e.running.Go(func() {
				serve(c, bufio.NewReaderSize(c, 64<<10))
				_ = c.Close()
				e.mu.Lock()
				delete(e.conns, c)
				e.mu.Unlock()
			})
		}
	})
}

// reset begins a window.
func (e *ends) reset() {
	e.bytes.Store(0)
	e.packets.Store(0)
	e.lost.Store(0)
	e.mu.Lock()
	e.late = nil
	e.mu.Unlock()
}

func (e *ends) arriving() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.up
}

// talk answers RTSP requests until one of the given method, or until a raw beginning.
func talk(c net.Conn, r *bufio.Reader, last string) bool {
	for {
		tp := textproto.NewReader(r)
		line, err := tp.ReadLine()
		if err != nil {
			return false
		}
		if line+"\r\n" == raw {
			return true
		}
		head, err := tp.ReadMIMEHeader()
		if err != nil {
			return false
		}
		if _, err := io.CopyN(io.Discard, r, length(head)); err != nil {
			return false
		}
		method, _, _ := strings.Cut(line, " ")
		answer := "RTSP/1.0 200 OK\r\nCSeq: " + head.Get("CSeq") + "\r\nSession: 1\r\n"
		switch method {
		case "OPTIONS":
			answer += "Public: DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD\r\n\r\n"
		case "DESCRIBE":
			answer += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		case "SETUP":
			answer += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
		default:
			answer += "\r\n"
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return false
		}
		if method == last {
			return true
		}
	}
}

func length(head textproto.MIMEHeader) (n int64) {
	if _, err := fmt.Sscan(head.Get("Content-Length"), &n); err != nil {
		return 0
	}
	return n
}

// camera sends one picture at a time, in one write, from a random moment on.
func (e *ends) camera(c net.Conn, r *bufio.Reader) {
	if !talk(c, r, "PLAY") {
		return
	}
	e.running.Go(func() { _, _ = io.Copy(io.Discard, r) }) // keepalives and reports
	s := &sender{film: e.film, next: rand.IntN(group)}
	time.Sleep(rand.N(time.Second / fps))
	tick := time.NewTicker(time.Second / fps)
	defer tick.Stop()
	for range tick.C {
		if _, err := c.Write(s.picture(e.began)); err != nil {
			return
		}
	}
}

// receive counts what arrives of one stream, what is missing, and how late it is.
func (e *ends) receive(c net.Conn, r *bufio.Reader) {
	if !talk(c, r, "RECORD") {
		return
	}
	var begun bool
	var next uint16
	b := make([]byte, 65536+4)
	for {
		if _, err := io.ReadFull(r, b[:4]); err != nil {
			break
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if _, err := io.ReadFull(r, b[4:4+n]); err != nil || b[0] != '$' {
			break
		}
		e.bytes.Add(int64(4 + n))
		if b[1] != 0 {
			continue
		}
		seq := binary.BigEndian.Uint16(b[6:])
		if !begun {
			begun = true
			e.mu.Lock()
			e.up++
			e.mu.Unlock()
		} else {
			e.lost.Add(int64(seq - next))
		}
		next = seq + 1
		e.packets.Add(1)
		if b[5]&0x80 != 0 {
			late := time.Since(e.began) - time.Duration(binary.BigEndian.Uint64(b[stampAt:]))
			e.mu.Lock()
			e.late = append(e.late, late)
			e.mu.Unlock()
		}
	}
	if begun {
		e.mu.Lock()
		e.up--
		e.mu.Unlock()
	}
}
