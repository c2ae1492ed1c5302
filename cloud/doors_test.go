package cloud_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// enrolled is what a hall's box has after its enrolment.
type enrolled struct {
	tlsKey *ecdsa.PrivateKey
	sm2    gm.PrivateKey
	told   *hallsync.Enrolled
	roots  *x509.CertPool
}

// register opens the service's register beside it, as a command does.
func register(t *testing.T, dir string) *pki.Register {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(dir, "cloud.db"), store.Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := pki.Open(t.Context(), st, pki.Options{Directory: filepath.Join(dir, "pki"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// enrol does what a box does with a code: it finds the root by its pin, asks, and takes what it is told.
func enrol(t *testing.T, address string, code hallsync.EnrolCode) *enrolled {
	t.Helper()
	b := &enrolled{roots: x509.NewCertPool()}
	var err error
	if b.tlsKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.sm2, err = gm.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	ask := hallsync.EnrolAsk{Hall: code.Hall, Secret: code.Secret}
	name := pkix.Name{CommonName: string(code.Hall)}
	if ask.TLS, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, b.tlsKey); err != nil {
		t.Fatal(err)
	}
	if ask.SM2, err = cert.NewRequest(b.sm2, cert.Subject{CN: string(code.Hall)}); err != nil {
		t.Fatal(err)
	}
	b.roots.AddCert(pinned(t, address, code.Pin))
	body, err := ask.Encode()
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.roots, MinVersion: tls.VersionTLS13}, DisableKeepAlives: true}}
	res, err := c.Post("https://"+address+hallsync.PathEnrol, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	given, err := hallsync.ParseEnrolAnswer(answer)
	if err != nil || given.Enrolled == nil {
		t.Fatalf("%d %s: %v", res.StatusCode, answer, err)
	}
	b.told = given.Enrolled
	return b
}

// pinned finds the root that a code names among what the centre shows; nothing else is believed.
func pinned(t *testing.T, address string, pin hallsync.RootPin) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13})
	if err == nil {
		_ = c.Close()
		t.Fatal("nobody can prove anything to nobody")
	}
	shown, ok := err.(*tls.CertificateVerificationError)
	if !ok {
		t.Fatal(err)
	}
	for _, c := range shown.UnverifiedCertificates {
		if hallsync.PinOf(gm.Sum(c.RawSubjectPublicKeyInfo)) == pin {
			return c
		}
	}
	t.Fatal("the root is not shown")
	return nil
}

func (b *enrolled) dial(t *testing.T, address string, gmToo bool) (net.Conn, error) {
	t.Helper()
	if !gmToo {
		return tls.Dial("tcp", address, &tls.Config{
			RootCAs: b.roots, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{b.told.TLS}, PrivateKey: b.tlsKey}},
		})
	}
	sign, err := cert.Parse(b.told.Sign)
	if err != nil {
		t.Fatal(err)
	}
	root, err := cert.Parse(b.told.Roots.SM2[0])
	if err != nil {
		t.Fatal(err)
	}
	roots, err := cert.NewRoots(root)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return tlcp.Over(context.Background(), raw, host, tlcp.Config{Identity: tlcp.Identity{Sign: sign, SignKey: b.sm2}, Roots: roots, Now: time.Now})
}

// From a code to the board: a box enrols, reports by TLS or by TLCP, is told the list, and is out when it is revoked, on the board too.
func TestHallsComeByTheirCertificates(t *testing.T) {
	for name, gmToo := range map[string]bool{"TLS": false, "TLCP": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, filepath.Join(dir, "cloud.db"), func(c *config.Config) {
				const any = "127.0.0.1:0"
				c.PKI.Directory = filepath.Join(dir, "pki")
				c.MQTT.TLS, c.MQTT.TLCP, c.RTSP.TLS, c.RTSP.TLCP = any, any, any, any
				c.Edge = config.Edge{TLS: any, TLCP: any, Hosts: []string{"127.0.0.1"}, MQTT: "tls://127.0.0.1:8883"}
			})
			r := register(t, dir)
			code, err := r.NewCode(t.Context(), hall, "", time.Hour, pki.Actor{Name: "root", By: "command"})
			if err != nil {
				t.Fatal(err)
			}
			b := enrol(t, s.addr.EdgeTLS, code)
			if b.told.Addresses.MQTT != "tls://127.0.0.1:8883" || len(b.told.Index) == 0 || len(b.told.Centre.Open) == 0 {
				t.Errorf("told %+v", b.told)
			}
			address := s.addr.MQTTTLS
			if gmToo {
				address = s.addr.MQTTTLCP
			}
			lost, settings := make(chan error, 1), make(chan []byte, 8)
			c := paho.NewClient(paho.NewClientOptions().AddBroker("tls://" + address).SetProtocolVersion(4).SetClientID(string(hall)).SetUsername(string(hall)).
				SetAutoReconnect(false).SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }).
				SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return b.dial(t, address, gmToo) }))
			defer c.Disconnect(0)
			done := func(tok paho.Token) {
				t.Helper()
				if !tok.WaitTimeout(patience) || tok.Error() != nil {
					t.Fatal(tok.Error())
				}
			}
			done(c.Connect())
			done(c.Subscribe(hallsync.Topic(hall, hallsync.DownConfig), 1, func(_ paho.Client, m paho.Message) { settings <- m.Payload() }))
			hello, err := json.Marshal(hallsync.Hello{Hall: hall, Epoch: "01JNB3W2J6Y8Q4T5R7V9X0Z1A2", First: 1, Next: 1, Boot: "b1", Version: "1"})
			if err != nil {
				t.Fatal(err)
			}
			done(c.Publish(hallsync.Topic(hall, hallsync.UpHello), 1, false, hello))
			s.until("online", func(d api.HallDetail) bool { return d.State == "online" })
			signer, err := gm.ParsePublicKey(b.told.Centre.Sign[0])
			if err != nil {
				t.Fatal(err)
			}
			own, err := b.sm2.UnsealKey(b.told.SealedKey, hallsync.EncryptionKeyPart, string(hall))
			if err != nil {
				t.Fatal(err)
			}
			indexed := func(raw []byte) {
				t.Helper()
				order, err := hallsync.OpenSigned(raw, hallsync.SignedIndex, hall, signer)
				var keys hallsync.IndexOrdered
				if err != nil || json.Unmarshal(order.Body, &keys) != nil || len(keys.Keys) != 1 || keys.Keys[0].ID != b.told.Index[0].ID {
					t.Fatalf("index %+v, %v", keys, err)
				}
				if secret, err := own.Unwrap(keys.Keys[0].Wrapped); err != nil || gm.IndexID(secret) != keys.Keys[0].ID {
					t.Fatalf("a key of the index that is not the box's: %v", err)
				}
			}
			listed := func() hallsync.Revocations {
				t.Helper()
				select {
				case body := <-settings:
					told, err := hallsync.ParseSettings(body)
					if err != nil || told.Revoked == nil || !signer.Verify(hallsync.RevocationsMessage(told.Revoked.List), told.Revoked.Signature) {
						t.Fatalf("%s: %v", body, err)
					}
					indexed(told.Index)
					list, err := told.Revoked.Body()
					if err != nil {
						t.Fatal(err)
					}
					return list
				case <-time.After(patience):
					t.Fatal("no list")
					return hallsync.Revocations{}
				}
			}
			first := listed()
			if _, err := r.Revoke(t.Context(), hallsync.CentreName, "lost", pki.Actor{Name: "root", By: "command"}); err != nil {
				t.Fatal(err)
			}
			for list := listed(); ; list = listed() { // it may have been told of its own enrolment first
				if list.Number > first.Number && len(list.Serials) == 3 {
					break
				}
			}
			if _, err := r.Quarantine(t.Context(), hall, "clone"); err != nil {
				t.Fatal(err)
			}
			select {
			case <-lost:
			case <-time.After(patience):
				t.Fatal("the session goes on")
			}
			d := s.until("kept out", func(d api.HallDetail) bool { return fmt.Sprint(d.Health) != "[]" && d.State == "offline" })
			found := false
			for _, condition := range d.Health {
				found = found || condition.Code == "pki_kept_out"
			}
			if !found {
				t.Errorf("the board says %+v", d.Health)
			}
		})
	}
}
