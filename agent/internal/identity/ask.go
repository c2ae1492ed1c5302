package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// askTime is how long the centre may take to answer: it signs four certificates.
const askTime = 30 * time.Second

const httpsPort = "443"

// centreURL reads where the centre answers boxes: https://host:port, or tlcp:// for one that speaks TLCP there.
func centreURL(address string, schemes ...string) (by Transport, hostPort string, err error) {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return "", "", &Fault{Code: CodeAddress, Args: map[string]string{"address": address}}
	}
	by, port := TLS, u.Port()
	if u.Scheme == string(TLCP) {
		by = TLCP
	}
	if port == "" {
		port = httpsPort
	}
	return by, net.JoinHostPort(u.Hostname(), port), nil
}

// over gives a client whose connections are made by dial, one for each question: it follows nothing and asks no proxy.
func over(dial func(context.Context) (net.Conn, error)) *http.Client {
	return &http.Client{
		Timeout: askTime,
		Transport: &http.Transport{
			DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post asks once. It fails with *Fault, CodeUnreached.
func post(ctx context.Context, c *http.Client, hostPort, path string, body []byte) (status int, answer []byte, err error) {
	away := func(err error) error {
		return &Fault{Code: CodeUnreached, Args: map[string]string{"address": hostPort}, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+hostPort+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, away(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, away(err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, hallsync.MaxEnrolMessage+1))
	if err != nil {
		return 0, nil, away(err)
	}
	return res.StatusCode, answer, nil
}

// enrol shows the code of a provision to the centre and takes what it gives. The root that the code names is found before anything is said.
// It gives how long to wait before asking again when somebody at the centre has to act first.
func (i *Identity) enrol(ctx context.Context, p hallsync.Provision, serial string) (wait time.Duration, err error) {
	_, hostPort, err := centreURL(p.Addresses.HTTPS, "https")
	if err != nil {
		return 0, err
	}
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return 0, &Fault{Code: CodeAddress, Args: map[string]string{"address": hostPort}}
	}
	root, err := pinned(ctx, hostPort, host, p.Code.Pin, i.o.Now)
	if err != nil {
		return 0, err
	}
	r, err := i.request()
	if err != nil {
		return 0, err
	}
	body, err := hallsync.EnrolAsk{Hall: i.o.Hall, Secret: p.Code.Secret, Serial: serial, Requests: r.Requests}.Encode()
	if err != nil {
		return 0, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	c := over(func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{
			RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS13, Time: i.o.Now,
			VerifyConnection: func(s tls.ConnectionState) error { return isCentre(s.PeerCertificates[0].Subject.CommonName) },
		}}
		return d.DialContext(ctx, "tcp", hostPort)
	})
	status, answer, err := post(ctx, c, hostPort, hallsync.PathEnrol, body)
	if err != nil {
		return 0, clockFault(err)
	}
	if err := refusal(status, hostPort); err != nil {
		return 0, err
	}
	given, wait, err := answered(answer, root)
	if err != nil || wait > 0 {
		return wait, err
	}
	return 0, i.take(given, r, p.Addresses.HTTPS, 0, i.o.Now())
}

// answered gives what an answer to a code says, or how long to wait; it has to trust the root that the code pins.
func answered(answer []byte, root *x509.Certificate) (given hallsync.Enrolled, wait time.Duration, err error) {
	a, err := hallsync.ParseEnrolAnswer(answer)
	switch {
	case err != nil:
	case a.RetryS > 0:
		return given, time.Duration(a.RetryS) * time.Second, nil
	case a.Enrolled == nil:
		err = wrong("an answer to a renewal")
	case !slices.ContainsFunc(a.Enrolled.Roots.TLS, func(der []byte) bool { return bytes.Equal(der, root.Raw) }):
		err = wrong("the root of the code is not among those to trust")
	default:
		return *a.Enrolled, 0, nil
	}
	return given, 0, &Fault{Code: CodeAnswer, Err: err}
}

// clockFault tells a wrong clock from a centre that is away.
func clockFault(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return &Fault{Code: CodeClock, Err: err}
	}
	if Unproven(err) {
		return &Fault{Code: CodePin, Err: err}
	}
	return err
}

// refusal gives what a status that is no success means.
func refusal(status int, hostPort string) error {
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return nil
	case http.StatusTooManyRequests:
		return &Fault{Code: CodeLimited}
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity:
		return &Fault{Code: CodeRefused}
	}
	return &Fault{Code: CodeUnreached, Args: map[string]string{"address": hostPort}, Err: errors.New(http.StatusText(status))}
}

// renew asks for new certificates by those in force. It gives how long to wait before asking again when somebody has to approve it first.
func (i *Identity) renew(ctx context.Context, p *papers) (wait time.Duration, err error) {
	r, err := i.request()
	if err != nil {
		return 0, err
	}
	knows := make([]string, len(p.receipts))
	for n, k := range p.receipts {
		knows[n] = k.ID()
	}
	body, err := json.Marshal(hallsync.RenewAsk{Requests: r.Requests, Knows: knows})
	if err != nil {
		return 0, err
	}
	ask := i.askByCertificate
	if !i.Now().Before(p.until) {
		ask = i.askBySignature
	}
	address, status, answer, err := ask(ctx, p, body)
	if err != nil {
		return 0, err
	}
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		return 0, &Fault{Code: CodeDenied}
	}
	if err := refusal(status, address); err != nil {
		return 0, err
	}
	renewed, err := hallsync.ParseEnrolAnswer(answer)
	if err == nil && renewed.RetryS > 0 {
		return time.Duration(renewed.RetryS) * time.Second, nil
	}
	var given hallsync.Enrolled
	var number uint64
	if err == nil {
		given, number, err = i.vouched(p, renewed.Signed)
	}
	if err != nil {
		return 0, &Fault{Code: CodeAnswer, Err: err}
	}
	return 0, i.take(given, r, p.HTTPS, number, i.Now())
}

// vouched gives what an answer to a renewal says. It may name other roots and keys than the papers in force, so a key that these know has
// signed it, for this hall, after whatever was taken before.
func (i *Identity) vouched(p *papers, signed []byte) (given hallsync.Enrolled, number uint64, err error) {
	s, err := hallsync.OpenSigned(signed, hallsync.SignedEnrolled, i.o.Hall, p.receipts...)
	switch {
	case err != nil:
		return given, 0, err
	case s.Seq <= p.Number:
		return given, 0, &hallsync.SignedError{Why: hallsync.RefusedOld}
	case !i.Now().Before(s.NotAfter):
		return given, 0, &hallsync.SignedError{Why: hallsync.RefusedExpired}
	}
	given, err = hallsync.ParseEnrolled(s.Body)
	return given, s.Seq, err
}

// places gives where the centre may be asked: where the site says, where the centre said, where the box was enrolled.
func (i *Identity) places(p *papers) (all []string) {
	for _, a := range []string{i.o.HTTPS, i.Addresses().HTTPS, p.HTTPS} {
		if a != "" && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// askByCertificate asks over a connection that shows our certificate, where the site says or, when it says nothing, where the centre did.
func (i *Identity) askByCertificate(ctx context.Context, p *papers, body []byte) (string, int, []byte, error) {
	by, hostPort, err := centreURL(i.places(p)[0], "https", string(TLCP))
	if err != nil {
		return "", 0, nil, err
	}
	c := over(func(ctx context.Context) (net.Conn, error) { return i.Dial(ctx, by, hostPort) })
	status, answer, err := post(ctx, c, hostPort, hallsync.PathRenew, body)
	return hostPort, status, answer, err
}

// askBySignature asks as the holder of the old SM2 key, over a connection that shows nothing: the certificates are over.
func (i *Identity) askBySignature(ctx context.Context, p *papers, body []byte) (string, int, []byte, error) {
	var hostPort string
	var err error
	for _, place := range i.places(p) {
		if _, hostPort, err = centreURL(place, "https"); err == nil { // TLCP asks for certificates of both ends
			break
		}
	}
	if err != nil {
		return "", 0, nil, err
	}
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", 0, nil, &Fault{Code: CodeAddress, Args: map[string]string{"address": hostPort}}
	}
	c := over(func(ctx context.Context) (net.Conn, error) {
		d := net.Dialer{Timeout: handshakeTime}
		raw, err := d.DialContext(ctx, "tcp", hostPort)
		if err != nil {
			return nil, err
		}
		return secure(ctx, raw, i.tlsConfig(p, host))
	})
	for _, peer := range p.receipts { // the centre may have taken a new key into use since
		caller := gm.Caller{URL: "https://" + hostPort + hallsync.PathRenewal, Name: string(i.o.Hall), Key: i.own.sign, Peer: peer, Client: c, Now: i.Now}
		status, answer, err := caller.Call(ctx, body)
		var failed *gm.CallError
		switch {
		case err == nil:
			return hostPort, status, answer, nil
		case errors.As(err, &failed) && failed.Failure == gm.Forged:
			continue
		case errors.As(err, &failed) && failed.Failure == gm.Denied:
			return "", 0, nil, &Fault{Code: CodeDenied, Err: err}
		}
		return "", 0, nil, &Fault{Code: CodeUnreached, Args: map[string]string{"address": hostPort}, Err: err}
	}
	return "", 0, nil, &Fault{Code: CodeAnswer, Err: wrong("nobody whom we know has signed the answer")}
}
