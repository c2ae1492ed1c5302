package tlcp

import (
	"testing"

	"halledge/agent/kit/gm"
)

// FuzzServer gives a server whatever a client may say.
func FuzzServer(f *testing.F) {
	w := newWorld(f)
	server, client := w.server(f), w.client(f)
	_, ofClient := flights(f, server, client)
	f.Add(ofClient)
	f.Add(record(recordHandshake, message(clientHello, hello(1, 1, 0xe011))))
	f.Fuzz(func(t *testing.T, says []byte) {
		if serve(server, says) == nil {
			t.Errorf("%x is a handshake", says)
		}
	})
}

// FuzzClientKeyExchange gives a server the wrapped secret of a client that has a certificate, and one of its proofs.
func FuzzClientKeyExchange(f *testing.F) {
	w := newWorld(f)
	server, client := w.server(f), w.client(f)
	secret, err := server.Identity.Enc.PublicKey().Wrap(make([]byte, premaster))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sized(secret))
	before := append(record(recordHandshake, message(clientHello, hello(1, 1, suite))),
		record(recordHandshake, message(certificates, chainBody(client.Identity.Sign.DER())))...)
	f.Fuzz(func(t *testing.T, ckx []byte) {
		if len(ckx) > 1<<13 {
			return
		}
		digest := gm.Sum(ckx)
		sig, err := client.Identity.SignKey.Sign(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		says := append(append([]byte(nil), before...), record(recordHandshake, message(clientKeyExchange, ckx))...)
		says = append(says, record(recordHandshake, message(certificateVerify, sized(sig)))...)
		says = append(says, record(recordChange, []byte{1})...)
		says = append(says, record(recordHandshake, make([]byte, 80))...)
		if serve(server, says) == nil {
			t.Errorf("%x is a secret", ckx)
		}
	})
}

// FuzzClient gives a client whatever a server may say.
func FuzzClient(f *testing.F) {
	w := newWorld(f)
	server, client := w.server(f), w.client(f)
	ofServer, _ := flights(f, server, client)
	f.Add(ofServer)
	f.Add(serverFlight(server, false, server.Identity.Sign.DER(), server.Identity.Enc.DER()))
	f.Fuzz(func(t *testing.T, says []byte) {
		if call(client, says) == nil {
			t.Errorf("%x is a handshake", says)
		}
	})
}
