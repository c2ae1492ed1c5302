package tlcp

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
)

// message gives a handshake message.
func message(kind byte, body []byte) []byte {
	return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// record gives a record of version 1.1.
func record(kind byte, body []byte) []byte {
	return append([]byte{kind, 1, 1, byte(len(body) >> 8), byte(len(body))}, body...)
}

// hello gives the body of a ClientHello.
func hello(major, minor byte, suites ...uint16) []byte {
	b := append([]byte{major, minor}, make([]byte, 32+1)...) // random, no session
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(suites)))
	for _, s := range suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	return append(b, 1, 0) // no compression
}

const suite = 0xe013

func chainBody(certs ...[]byte) []byte {
	var list []byte
	for _, c := range certs {
		list = append(append(list, byte(len(c)>>16), byte(len(c)>>8), byte(len(c))), c...)
	}
	return append([]byte{byte(len(list) >> 16), byte(len(list) >> 8), byte(len(list))}, list...)
}

// sized gives b after its length in two bytes.
func sized(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }

// puppet is a client of which every byte is ours.
type puppet struct {
	net.Conn
	transcript []byte
}

func (p *puppet) say(t *testing.T, kind byte, body []byte) {
	t.Helper()
	m := message(kind, body)
	p.transcript = append(p.transcript, m...)
	p.send(t, record(recordHandshake, m))
}

func (p *puppet) send(t *testing.T, b []byte) {
	t.Helper()
	if _, err := p.Write(b); err != nil {
		t.Log(err) // the peer may have closed
	}
}

// hear reads messages until one of a kind is there.
func (p *puppet) hear(t *testing.T, kind byte) {
	t.Helper()
	for {
		var head [5]byte
		if _, err := io.ReadFull(p, head[:]); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, int(head[3])<<8|int(head[4]))
		if _, err := io.ReadFull(p, body); err != nil || head[0] != recordHandshake {
			t.Fatalf("record %d: %x, %v", head[0], body, err)
		}
		p.transcript = append(p.transcript, body...)
		if body[0] == kind {
			return
		}
	}
}

// rest gives what the peer still says before it closes.
func (p *puppet) rest(t *testing.T) []byte {
	t.Helper()
	b, err := io.ReadAll(p)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open")
	}
	return b
}

// begin goes as far as the certificate.
func begin(t *testing.T, e *echo, c Config) *puppet {
	t.Helper()
	p := &puppet{Conn: dial(t, e.address())}
	p.say(t, clientHello, hello(1, 1, suite))
	p.hear(t, serverHelloDone)
	p.say(t, certificates, chainBody(c.Identity.Sign.DER()))
	return p
}

// prove sends the signature that the client has its key, or a wrong one.
func (p *puppet) prove(t *testing.T, c Config, right bool) {
	t.Helper()
	digest := gm.Sum(p.transcript)
	if !right {
		digest[0] ^= 1
	}
	sig, err := c.Identity.SignKey.Sign(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	p.say(t, certificateVerify, sized(sig))
}

func wrap(t *testing.T, k gm.PublicKey, n int) []byte {
	t.Helper()
	w, err := k.Wrap(bytes.Repeat([]byte{1}, n))
	if err != nil {
		t.Fatal(err)
	}
	return sized(w)
}

func TestThreat06TheListenerSurvives(t *testing.T) {
	w := newWorld(t)
	e, good := newEcho(t, w.server(t), nil), w.client(t)
	garbage := make([]byte, 4096)
	_, _ = rand.Read(garbage)
	first := record(recordHandshake, message(clientHello, hello(1, 1, suite)))
	for name, sent := range map[string][]byte{
		"nothing":             {},
		"one byte":            {recordHandshake},
		"garbage":             garbage,
		"handshake garbage":   append([]byte{recordHandshake, 1, 1, 4, 0}, garbage...),
		"HTTP":                []byte("GET / HTTP/1.1\r\nHost: cloud\r\n\r\n"),
		"MQTT":                {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0},
		"SSH":                 []byte("SSH-2.0-OpenSSH_9\r\n"),
		"SSL 2":               {0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80},
		"TLS 1.0 hello":       record(recordHandshake, message(clientHello, hello(3, 1, 0x002f, 0x0035))),
		"TLS 1.2 with e013":   record(recordHandshake, message(clientHello, hello(3, 3, suite))),
		"version 0":           record(recordHandshake, message(clientHello, hello(0, 0, suite))),
		"ECDHE alone":         record(recordHandshake, message(clientHello, hello(1, 1, 0xe011))),
		"ECDHE first":         record(recordHandshake, message(clientHello, hello(1, 1, 0xe011, 0xe001))),
		"no suites":           record(recordHandshake, message(clientHello, hello(1, 1))),
		"an empty hello":      record(recordHandshake, message(clientHello, nil)),
		"a cut hello":         record(recordHandshake, message(clientHello, []byte{1, 1, 0})),
		"a hello of 16 MiB":   record(recordHandshake, []byte{clientHello, 255, 255, 255, 1, 1}),
		"two hellos":          append(bytes.Clone(first), first...),
		"finished first":      record(recordHandshake, message(20, make([]byte, 12))),
		"change first":        record(recordChange, []byte{1}),
		"data first":          record(23, []byte("data")),
		"an alert":            record(recordAlert, []byte{2, 40}),
		"a warning":           record(recordAlert, []byte{1, 0}),
		"an empty record":     record(recordHandshake, nil),
		"a long record":       append([]byte{recordHandshake, 1, 1, 255, 255}, make([]byte, 65535)...),
		"hello in 100 pieces": pieces(message(clientHello, hello(1, 1, 0xe011))),
	} {
		raw := dial(t, e.address())
		if _, err := raw.Write(sent); err != nil {
			t.Log(name, err)
		}
		if err := raw.(*net.TCPConn).CloseWrite(); err != nil {
			t.Log(name, err)
		}
		p := &puppet{Conn: raw}
		if got := p.rest(t); len(got) > 7 { // an alert at most
			t.Errorf("%s: it answers %x", name, got)
		}
	}
	if _, err := tls.Dial("tcp", e.address(), &tls.Config{ServerName: host}); err == nil {
		t.Error("it speaks TLS")
	}
	if res, err := http.Get("http://" + e.address()); err == nil {
		res.Body.Close()
		t.Error("it speaks HTTP")
	}
	e.works(t, good)
}

// pieces gives each byte in a record of its own.
func pieces(b []byte) (out []byte) {
	for i := range b {
		out = append(out, record(recordHandshake, b[i:i+1])...)
	}
	return out
}

func TestTheListenerSurvivesWhoHasACertificate(t *testing.T) {
	w := newWorld(t)
	server := w.server(t)
	e, good := newEcho(t, server, nil), w.client(t)
	for name, ckx := range map[string][]byte{
		"empty": nil, "one byte": {0}, "two bytes": {0, 0}, "a wrong length": {0, 9, 1}, "no DER": sized([]byte("no DER")),
		"a length of more": {1, 0, 0x30}, "DER of nothing": sized([]byte{0x30, 0}), "a short secret": wrap(t, server.Identity.Enc.PublicKey(), 47),
		"negative": sized([]byte{0x30, 0x0a, 2, 1, 0xff, 2, 1, 0xff, 4, 0, 4, 0}), "many": make([]byte, maxMessage),
	} {
		p := begin(t, e, good)
		p.say(t, clientKeyExchange, ckx)
		p.prove(t, good, true)
		p.send(t, record(recordChange, []byte{1}))
		p.send(t, record(recordHandshake, make([]byte, 80)))
		if got := p.rest(t); len(got) > 7 {
			t.Errorf("%s: %x", name, got)
		}
	}
	p := begin(t, e, good)
	p.say(t, certificateVerify, sized([]byte("too early")))
	p.rest(t)
	p = &puppet{Conn: dial(t, e.address())}
	p.say(t, clientHello, hello(1, 1, suite))
	p.hear(t, serverHelloDone)
	p.say(t, certificates, chainBody())
	if got := p.rest(t); len(got) > 7 {
		t.Errorf("no certificate: %x", got)
	}
	p = &puppet{Conn: dial(t, e.address())}
	p.say(t, clientHello, hello(1, 1, suite))
	p.hear(t, serverHelloDone)
	p.say(t, certificates, chainBody(rsaCertificate(t)))
	if got := p.rest(t); len(got) > 7 {
		t.Errorf("an RSA certificate: %x", got)
	}
	if s := e.Stats(); s.Done != 0 {
		t.Errorf("%+v", s)
	}
	e.works(t, good)
}

// The answers to a secret that opens and to one that does not are the same, byte for byte.
func TestThreat07TheAnswerToAWrongSecretTellsNothing(t *testing.T) {
	w := newWorld(t)
	server := w.server(t)
	e, good := newEcho(t, server, nil), w.client(t)
	right := server.Identity.Enc.PublicKey()
	wrong := wrap(t, newKey(t).Public(), premaster)
	for _, proof := range []bool{true, false} {
		var answers [][]byte
		for _, ckx := range [][]byte{wrap(t, right, premaster), wrong, offCurve(t, wrong), wrap(t, right, premaster-1)} {
			p := begin(t, e, good)
			p.say(t, clientKeyExchange, ckx)
			p.prove(t, good, proof)
			if proof {
				p.send(t, record(recordChange, []byte{1}))
				p.send(t, record(recordHandshake, make([]byte, 80)))
			}
			answers = append(answers, p.rest(t))
		}
		for i, a := range answers {
			if !bytes.Equal(a, answers[0]) || len(a) != 7 || a[0] != recordAlert {
				t.Errorf("answer %d: %x, not %x", i, a, answers[0])
			}
		}
	}
}

// offCurve moves the point of a wrapped secret.
func offCurve(t *testing.T, ckx []byte) []byte {
	t.Helper()
	out := bytes.Clone(ckx)
	at := bytes.Index(out, []byte{2, 32}) // an integer of 32 bytes, or of 33 with a leading zero
	if at < 0 {
		at = bytes.Index(out, []byte{2, 33})
	}
	out[at+20] ^= 1
	return out
}

func TestThreat07WhoSendsWrongSecretsIsKeptOut(t *testing.T) {
	w := newWorld(t)
	type raised struct {
		address  string
		failures int
	}
	alarms := make(chan raised, 100)
	e, good := newEcho(t, w.server(t), func(a string, n int) { alarms <- raised{a, n} }), w.client(t)
	wrong := wrap(t, newKey(t).Public(), premaster)
	for range AlarmAt {
		p := begin(t, e, good)
		p.say(t, clientKeyExchange, wrong)
		p.prove(t, good, false)
		p.rest(t)
	}
	select {
	case got := <-alarms:
		if got != (raised{"127.0.0.1", AlarmAt}) {
			t.Errorf("%+v", got)
		}
	case <-time.After(deadline):
		t.Error("no alarm")
	}
	if _, err := connect(t.Context(), e.address(), host, good); err == nil {
		t.Error("the address is let in")
	}
	if s := e.Stats(); s.Refused != 1 || len(alarms) != 0 {
		t.Errorf("%+v and %d more alarms", s, len(alarms))
	}
}

func TestSuspectsAreForgotten(t *testing.T) {
	g := newSuspects(nil)
	now := at()
	for range AlarmAt {
		g.failed("a", now)
	}
	if g.welcome("a", now.Add(alarmWindow-1)) || !g.welcome("b", now) || !g.welcome("a", now.Add(alarmWindow)) {
		t.Error("who is kept out is wrong")
	}
	g.failed("a", now.Add(alarmWindow))
	if !g.welcome("a", now.Add(alarmWindow)) {
		t.Error("the minute before counts too")
	}
	for i := range maxSuspects + 100 {
		g.failed(string(binary.BigEndian.AppendUint32(nil, uint32(i))), now)
	}
	if n := len(g.by); n > maxSuspects {
		t.Errorf("%d are remembered", n)
	}
}

// A thousand connections that say nothing, or half of something, keep out nobody.
func TestSilentConnectionsKeepOutNobody(t *testing.T) {
	w := newWorld(t)
	e, good := newEcho(t, w.server(t), nil), w.client(t)
	for i := range 1000 {
		raw := dial(t, e.address())
		if i%2 == 0 {
			if _, err := raw.Write([]byte{recordHandshake, 1, 1}); err != nil {
				t.Log(err)
			}
		}
	}
	e.works(t, good)
}

// A listener that is closed ends the handshakes under way, and waits for them.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	e := newEcho(t, w.server(t), nil)
	p := begin(t, e, w.client(t))
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	p.rest(t)
	if _, err := e.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func rsaCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cloud"}, DNSNames: []string{host}, NotBefore: at(), NotAfter: at().Add(day),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// fake is a server of which every byte is ours. It gives what the client says after it.
func fake(t *testing.T, says []byte) (address string, heard func() []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte, 1)
	go func() {
		defer l.Close()
		var all []byte
		defer func() { got <- all }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(deadline))
		if _, err := c.Write(says); err == nil {
			all, _ = io.ReadAll(c)
		}
	}()
	return l.Addr().String(), func() []byte { return <-got }
}

func serverFlight(c Config, withExchange bool, certs ...[]byte) []byte {
	var b []byte
	b = append(b, message(serverHello, append(append([]byte{1, 1}, make([]byte, 33)...), suite>>8, suite&0xff, 0))...)
	b = append(b, message(certificates, chainBody(certs...))...)
	if withExchange {
		b = append(b, message(serverKeyExchange, sized(make([]byte, 70)))...)
	}
	b = append(b, message(certificateRequest, []byte{1, 64, 0, 0})...)
	return record(recordHandshake, append(b, message(serverHelloDone, nil)...))
}

func TestAClientSurvives(t *testing.T) {
	w := newWorld(t)
	c, server := w.client(t), w.server(t)
	sign, enc, foreign := server.Identity.Sign.DER(), server.Identity.Enc.DER(), rsaCertificate(t)
	oid := []byte{0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d} // of the curve
	flipped := bytes.Replace(sign, oid, append(bytes.Clone(oid[:7]), 0x2e), 1)
	for name, says := range map[string][]byte{
		"garbage":              bytes.Repeat([]byte{0xa5}, 3000),
		"RSA":                  serverFlight(server, true, foreign, foreign),
		"RSA for decrypting":   serverFlight(server, true, sign, foreign),
		"a flipped curve":      serverFlight(server, true, flipped, enc),
		"one certificate":      serverFlight(server, true, sign),
		"no certificate":       serverFlight(server, true),
		"twice the same":       serverFlight(server, true, sign, sign),
		"many":                 serverFlight(server, true, sign, enc, sign, sign, sign, sign, sign, sign, sign),
		"a wrong signature":    serverFlight(server, true, sign, enc),
		"no proof of its key":  serverFlight(server, false, sign, enc),
		"an alert":             record(recordAlert, []byte{2, 40}),
		"TLS 1.2":              record(recordHandshake, message(serverHello, append(append([]byte{3, 3}, make([]byte, 33)...), suite>>8, suite&0xff, 0))),
		"another suite":        record(recordHandshake, message(serverHello, append(append([]byte{1, 1}, make([]byte, 33)...), 0xe0, 0x11, 0))),
		"a request to restart": record(recordHandshake, message(0, nil)),
	} {
		address, heard := fake(t, says)
		conn, err := connect(t.Context(), address, host, c)
		if err == nil {
			conn.Close()
			t.Errorf("%s: taken", name)
		}
		// The hello is all that such a server may hear, beside an alert: no certificate of ours and no secret.
		if got := heard(); bytes.Count(got, []byte{recordHandshake, 1, 1}) > 1 {
			t.Errorf("%s: it heard %x", name, got)
		}
		var alert AlertError
		switch name {
		case "an alert":
			if !errors.As(err, &alert) || alert != 40 || !strings.Contains(err.Error(), "alert 40") {
				t.Error(err)
			}
		case "no proof of its key", "garbage", "TLS 1.2":
			if !errors.Is(err, ErrHostile) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestAPanicOfTheLibraryEndsHere(t *testing.T) {
	if err := (&wire{}).shake(func() error { panic("index out of range") }); !errors.Is(err, ErrHostile) {
		t.Error(err)
	}
	near, far := net.Pipe()
	defer far.Close()
	c := &Conn{raw: near} // the library's part is missing: every use of it panics
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, ErrHostile) {
		t.Error(n, err)
	}
	if n, err := c.Write(make([]byte, 1)); n != 0 || !errors.Is(err, ErrHostile) {
		t.Error(n, err)
	}
	if err := c.Close(); !errors.Is(err, ErrHostile) {
		t.Error(err)
	}
	if _, err := far.Write([]byte("x")); err == nil {
		t.Error("the connection stays open")
	}
}

// The library prints what its handshakes return; who connects could fill the log with it.
func TestNothingIsPrinted(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^(TestThreat06|TestThreat07TheAnswer|TestTheListenerSurvives|TestAClient|TestAServer)")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if strings.Contains(out.String(), "error") || !strings.Contains(out.String(), "PASS") {
		t.Errorf("it prints: %s", out.String())
	}
}
