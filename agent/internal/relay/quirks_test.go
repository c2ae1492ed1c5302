package relay

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"halledge/agent/internal/config"
)

// odd is a camera made by hand, for what real ones do and no library does: answers out of a script, byte for byte.
type odd struct {
	t      *testing.T
	ln     net.Listener
	answer func(c *oddConn, method, url string, head textproto.MIMEHeader) string
	ended  sync.WaitGroup

	mu      sync.Mutex
	dials   int
	reports []rtcp.ReceiverReport
	conns   map[net.Conn]bool
}

// oddConn is one connection to it. answer may keep notes in it.
type oddConn struct {
	net.Conn
	asked map[string]int // requests by method
}

func startOdd(t *testing.T, answer func(c *oddConn, method, url string, head textproto.MIMEHeader) string) *odd {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &odd{t: t, ln: ln, answer: answer, conns: make(map[net.Conn]bool)}
	o.ended.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.dials++
			o.conns[c] = true
			o.mu.Unlock()
			o.ended.Go(func() { o.serve(&oddConn{Conn: c, asked: make(map[string]int)}) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		o.mu.Lock()
		for c := range o.conns {
			_ = c.Close()
		}
		o.mu.Unlock()
		o.ended.Wait()
	})
	return o
}

func (o *odd) url() string { return "rtsp://" + o.ln.Addr().String() + "/stream" }

func (o *odd) count() (dials int, reports []rtcp.ReceiverReport) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dials, o.reports
}

func (o *odd) serve(c *oddConn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		first, err := r.Peek(1)
		if err != nil {
			return
		}
		if first[0] == '$' {
			o.report(r)
			continue
		}
		tp := textproto.NewReader(r)
		line, err := tp.ReadLine()
		if err != nil {
			return
		}
		head, err := tp.ReadMIMEHeader()
		if err != nil {
			return
		}
		method, rest, _ := strings.Cut(line, " ")
		url, _, _ := strings.Cut(rest, " ")
		c.asked[method]++
		res := o.answer(c, method, url, head)
		if res == "" {
			return
		}
		if _, err := io.WriteString(c, strings.ReplaceAll(res, "CSEQ", head.Get("CSeq"))); err != nil {
			return
		}
	}
}

func (o *odd) report(r *bufio.Reader) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return
	}
	body := make([]byte, binary.BigEndian.Uint16(head[2:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return
	}
	var rr rtcp.ReceiverReport
	if head[1] != 7 || rr.Unmarshal(body) != nil {
		o.t.Errorf("a report on channel %d that is none: %x", head[1], body)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports = append(o.reports, rr)
}

const oddSDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=$ money\r\nt=0 0\r\n" +
	"m=audio 0 RTP/AVP 8\r\na=control:audio\r\n" +
	"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n"

// usual answers as a decent camera would, with the video on channels 6 and 7.
func usual(method string) string {
	const ok = "RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\n"
	switch method {
	case "OPTIONS":
		return ok + "Public: DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n\r\n"
	case "DESCRIBE":
		return ok + fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(oddSDP), oddSDP)
	case "SETUP":
		return ok + "Session: 12345678;timeout=1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=6-7\r\n\r\n"
	}
	return ok + "Session: 12345678\r\n\r\n"
}

// media makes one frame: a packet of one-slice pictures, every one a key frame.
func media(channel byte, seq uint16, ts, ssrc uint32) string {
	p := make([]byte, 4+12+20)
	p[0], p[1], p[3] = '$', channel, byte(len(p)-4)
	p[4], p[5] = 0x80, 96|0x80
	binary.BigEndian.PutUint16(p[6:], seq)
	binary.BigEndian.PutUint32(p[8:], ts)
	binary.BigEndian.PutUint32(p[12:], ssrc)
	p[16] = 0x65
	return string(p)
}

// pump sends pictures each 20 ms until the connection ends.
func (o *odd) pump(c *oddConn, frame func(i int) string) {
	o.ended.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			<-tick.C
			if _, err := io.WriteString(c, frame(i)); err != nil {
				return
			}
		}
	})
}

func TestThreat02RedirectsAreNotFollowed(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	inside := startOdd(t, func(*oddConn, string, string, textproto.MIMEHeader) string { return "" })
	o := startOdd(t, func(_ *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "DESCRIBE" {
			return "RTSP/1.0 302 Moved\r\nCSeq: CSEQ\r\nLocation: " + inside.url() + "\r\n\r\n"
		}
		return usual(method)
	})
	start(t, relayTo(n), always(o.url())).is("offline", CameraBadAnswer)
	if dials, _ := inside.count(); dials != 0 {
		t.Error("the relay dialled the address it was sent to")
	}
}

func TestRelay_packetsFromElsewhereAreRefused(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	o := startOdd(t, func(_ *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "SETUP" {
			return "RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nSession: 1\r\nTransport: RTP/AVP/UDP;unicast;source=192.0.2.1;" +
				"client_port=20000-20001;server_port=53-54\r\n\r\n"
		}
		return usual(method)
	})
	c := always(o.url())
	c.UDP = true
	start(t, relayTo(n), c).is("offline", CameraNotAllowed)
}

func TestRelay_noVideo(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	sdp := "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\na=control:audio\r\n"
	o := startOdd(t, func(_ *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "DESCRIBE" {
			return fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		}
		return usual(method)
	})
	start(t, relayTo(n), always(o.url())).is("offline", CameraNoVideo)
}

func TestRelay_noRTSP(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	o := startOdd(t, func(_ *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "DESCRIBE" {
			return "RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"
		}
		return usual(method)
	})
	start(t, relayTo(n), always(o.url())).is("offline", CameraBadAnswer)
}

// A camera that offers SHA-256 and refuses it gets one more attempt with MD5.
func TestRelay_sha256RefusedThenMD5(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	var o *odd
	o = startOdd(t, func(c *oddConn, method, _ string, head textproto.MIMEHeader) string {
		login := head.Get("Authorization")
		if method != "OPTIONS" && (login == "" || strings.Contains(login, "SHA-256")) {
			return "RTSP/1.0 401 Unauthorized\r\nCSeq: CSEQ\r\n" +
				"WWW-Authenticate: Digest realm=\"cam\", nonce=\"1\", algorithm=\"SHA-256\"\r\n" +
				"WWW-Authenticate: Digest realm=\"cam\", nonce=\"1\", algorithm=\"MD5\"\r\n\r\n"
		}
		if method == "PLAY" {
			o.pump(c, func(i int) string { return media(6, uint16(i), uint32(i*1800), 7) })
		}
		return usual(method)
	})
	c := always(o.url())
	c.User, c.Password = "admin", config.NewSecret(secret)
	start(t, relayTo(n), c).is("relaying", "")
	if dials, _ := o.count(); dials != 2 {
		t.Errorf("dialled %d times, want 2", dials)
	}
}

// A stale nonce is no wrong password: the next attempt comes soon.
func TestRelay_staleNonceIsTriedAgainSoon(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	var o *odd
	o = startOdd(t, func(c *oddConn, method, _ string, head textproto.MIMEHeader) string {
		if method == "DESCRIBE" && head.Get("Authorization") == "" {
			return "RTSP/1.0 401 Unauthorized\r\nCSeq: CSEQ\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"1\"\r\n\r\n"
		}
		if dials, _ := o.count(); method == "SETUP" && dials == 1 {
			return "RTSP/1.0 401 Unauthorized\r\nCSeq: CSEQ\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"2\", stale=TRUE\r\n\r\n"
		}
		if method == "PLAY" {
			o.pump(c, func(i int) string { return media(6, uint16(i), uint32(i*1800), 7) })
		}
		return usual(method)
	})
	c := always(o.url())
	c.User, c.Password = "admin", config.NewSecret(secret)
	start(t, relayTo(n), c).is("relaying", "")
}

// A 401 to a keepalive means that the login has died; the camera is opened anew before it ends the stream by itself.
func TestRelay_keepaliveRefused(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	var o *odd
	o = startOdd(t, func(c *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "GET_PARAMETER" {
			return "RTSP/1.0 401 Unauthorized\r\nCSeq: CSEQ\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"2\"\r\n\r\n"
		}
		if method == "PLAY" {
			o.pump(c, func(i int) string { return media(6, uint16(i), uint32(i*1800), 7) })
		}
		return usual(method)
	})
	start(t, relayTo(n), always(o.url()))
	until(t, "it is opened again", func() bool { return n.announced(cam) >= 2 })
}

// A camera that begins anew within a connection, sends noise between frames and loses packets is relayed all the same.
func TestRelay_ssrcChangesNoiseAndLoss(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	var o *odd
	o = startOdd(t, func(c *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "PLAY" {
			o.pump(c, func(i int) string {
				seq, ssrc := uint16(i), uint32(7)
				switch {
				case i >= 300: // began anew
					seq, ssrc = uint16(i*100), 8
					if i > 300 {
						seq = uint16(300*100 + i - 300)
					}
				case i >= 10: // lost one
					seq++
				}
				noise := ""
				if i%3 == 0 {
					noise = "\r\n\x00"
				}
				return noise + media(6, seq, uint32(i*1800), ssrc) + media(4, 1, 1, 1) // and sound nobody asked for
			})
		}
		return usual(method)
	})
	r := start(t, relayTo(n), always(o.url()))
	until(t, "400 pictures", func() bool { return len(n.received(cam)) >= 400 })
	for i, p := range n.received(cam) {
		if p.SSRC != 7 || p.Payload[0] != 0x65 {
			t.Fatalf("picture %d has SSRC %d and begins with %x", i, p.SSRC, p.Payload[0])
		}
	}
	until(t, "the loss is counted", func() bool { return r.States()[0].LostByCamera == 1 })
	until(t, "a receiver report", func() bool { _, reports := o.count(); return len(reports) > 0 })
	_, reports := o.count()
	got := reports[0].Reports[0]
	if (got.SSRC != 7 && got.SSRC != 8) || got.TotalLost != 1 || got.LastSequenceNumber == 0 {
		t.Errorf("receiver report %+v", got)
	}
	if dials, _ := o.count(); dials != 1 {
		t.Errorf("dialled %d times, want once", dials)
	}
}
