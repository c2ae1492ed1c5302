package relay

import (
	"encoding/binary"
	"fmt"
	"net/textproto"
	"strings"
	"testing"
)

// describing is a camera whose SDP is what somebody wrote.
func describing(t *testing.T, sdp string) *odd {
	return startOdd(t, func(_ *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "DESCRIBE" {
			return fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		}
		return usual(method)
	})
}

// Threat 3: whatever a camera describes, the relay goes on, says why there is no picture, and connects to nothing that the description names.
func TestThreat03OddDescriptions(t *testing.T) {
	const head = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
	const video = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n"
	n := startNode(t, "", hall, secret)
	defer n.close()
	inside := startOdd(t, func(*oddConn, string, string, textproto.MIMEHeader) string { return "" })
	for name, tt := range map[string]struct {
		sdp  string
		want []Reason // "": it is relayed
	}{
		"nothing":                   {"", []Reason{CameraBadAnswer, CameraNoVideo}},
		"no media":                  {head, []Reason{CameraBadAnswer, CameraNoVideo}},
		"no SDP":                    {strings.Repeat("<html>\r\n", 100), []Reason{CameraBadAnswer}},
		"NUL":                       {head + "m=video 0 RTP/AVP 96\x00\r\n" + strings.Repeat("\x00", 1000), []Reason{CameraBadAnswer, CameraNoVideo}},
		"a thousand media":          {head + strings.Repeat("m=audio 0 RTP/AVP 8\r\na=control:a\r\n", 1000), []Reason{CameraBadAnswer, CameraNoVideo}},
		"four thousand lines":       {head + strings.Repeat("a=x:y\r\n", 4000) + video, []Reason{CameraBadAnswer, ""}},
		"more than is taken":        {head + strings.Repeat("a=x:y\r\n", 20_000) + video, []Reason{CameraBadAnswer, CameraClosed}},
		"one line of 60 KB":         {head + "a=" + strings.Repeat("x", 60_000) + "\r\n" + video, []Reason{CameraBadAnswer, ""}},
		"repeated":                  {strings.Repeat(head+video, 50), []Reason{CameraBadAnswer, ""}},
		"an absurd port":            {head + strings.Replace(video, "video 0", "video 99999999999999999999", 1), []Reason{CameraBadAnswer, ""}},
		"a negative port":           {head + strings.Replace(video, "video 0", "video -1", 1), []Reason{CameraBadAnswer, ""}},
		"an absurd payload type":    {head + strings.ReplaceAll(video, "96", "4096"), []Reason{CameraBadAnswer, CameraNoVideo}},
		"a clock of zero":           {head + strings.Replace(video, "90000", "0", 1), []Reason{CameraBadAnswer, CameraNoVideo, ""}},
		"a broken parameter set":    {head + video + "a=fmtp:96 sprop-parameter-sets=Z0,aA==,!!!!;packetization-mode=9999999999\r\n", []Reason{CameraBadAnswer, CameraNoVideo, ""}},
		"another machine's control": {head + strings.Replace(video, "control:video", "control:"+inside.url(), 1), []Reason{CameraBadAnswer, ""}},
		"control of a file":         {head + strings.Replace(video, "control:video", "control:file:///etc/passwd", 1), []Reason{CameraBadAnswer, ""}},
		"an address elsewhere":      {head + "c=IN IP4 169.254.169.254\r\n" + video, []Reason{CameraBadAnswer, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, relayTo(n), always(describing(t, tt.sdp).url()))
			until(t, fmt.Sprintf("one of %q", tt.want), func() bool {
				s := r.Status()[0]
				for _, want := range tt.want {
					if s.Reason == string(want) && (s.State == "offline" || want == "" && s.State == "relaying") {
						return true
					}
				}
				return false
			})
		})
	}
	if dials, _ := inside.count(); dials != 0 {
		t.Error("the relay dialled what a description named")
	}
}

// packet is an interleaved RTP packet with any payload.
func packet(seq uint16, payload []byte) string {
	p := make([]byte, 4+12, 4+12+len(payload))
	p[0], p[1] = '$', 6
	binary.BigEndian.PutUint16(p[2:], uint16(12+len(payload)))
	p[4], p[5] = 0x80, 96|0x80
	binary.BigEndian.PutUint16(p[6:], seq)
	binary.BigEndian.PutUint32(p[8:], uint32(seq)*1800)
	binary.BigEndian.PutUint32(p[12:], 1)
	return string(append(p, payload...))
}

// Threat 3: whatever comes as a picture, the relay goes on, and the pictures between that are good arrive.
func TestThreat03OddPictures(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	evil := [][]byte{
		{}, {0}, {0x1c}, {0x1c, 0x05}, {0x5c, 0x45}, {0x1c, 0x45, 1, 2, 3}, // nothing, a unit of one byte, fragments that nobody began, one that only ends
		{0x18}, {0x18, 0, 0}, {0x18, 0xff, 0xff}, {0x18, 0, 0, 0, 0, 0, 0}, // aggregations of nothing, of 64 KiB, of units of no length
		append([]byte{0x18, 0xff, 0xff, 0x65}, make([]byte, 60_000)...), append([]byte{0x18}, make([]byte, 65_000)...),
		append([]byte{0x9c, 0x85}, make([]byte, 65_500)...), // a fragment as long as can be
		{0x1f, 0xff}, {0xff, 0xff, 0xff, 0xff},
	}
	o := startOdd(t, nil)
	o.answer = func(c *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "PLAY" {
			o.pump(c, func(i int) string {
				if i%2 == 0 {
					return media(6, uint16(i), uint32(i)*1800, 1)
				}
				return packet(uint16(i), evil[i/2%len(evil)])
			})
		}
		return usual(method)
	}
	r := start(t, relayTo(n), always(o.url()))
	r.is("relaying", "")
	until(t, "each of them twice, and the good ones between them", func() bool { return len(n.received(cam)) > 4*len(evil) })
	if s := r.Status()[0]; s.State != "relaying" {
		t.Errorf("%+v", s)
	}
}
