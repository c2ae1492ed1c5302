package cloud

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/person"
	"halledge/cloud/internal/province"
	"halledge/firmware-protocols/hallsync"
)

// openCodes makes what answers halls that ask about citizens' codes; nil if nobody can be asked.
func openCodes(o Options, persons *person.Desk, registry *prometheus.Registry) (http.Handler, error) {
	p := o.Config.Province
	if p.URL == "" {
		return nil, nil
	}
	key, err := gm.ParsePrivateKey(p.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("province: key: %w", err)
	}
	roots, err := issuers(p.CA)
	if err != nil {
		return nil, fmt.Errorf("province: ca: %w", err)
	}
	halls := map[hallsync.HallID]gm.PublicKey{}
	for _, h := range o.Config.Halls {
		halls[h.Code] = h.Codes.PublicKey
	}
	return province.New(province.Options{
		Caller: &gm.Caller{URL: p.URL, Name: p.Name, Key: key, Peer: p.Peer.PublicKey, Client: gm.NewClient(roots)},
		Key:    key, Halls: halls, Names: persons.Names, Metrics: registry, Log: o.Log.With("part", "codes"),
	}).Handler(), nil
}

// issuers reads whose certificates are trusted; nil for "": the system's.
func issuers(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in the file")
	}
	return pool, nil
}
