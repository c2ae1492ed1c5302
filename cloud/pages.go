package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"time"

	"halledge/cloud/internal/config"
	"halledge/cloud/internal/web"
)

// Hosts gives the names and addresses in the centre's certificates: those that halls know it by, and those of its pages when they are
// served with such a certificate.
func Hosts(cfg config.Config) []string {
	hosts := slices.Clone(cfg.Edge.Hosts)
	if cfg.HTTP.TLS.Listen != "" && cfg.HTTP.TLS.Cert == "" {
		hosts = append(hosts, cfg.HTTP.Hosts...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// listenPages binds where the pages are served.
func (c *Cloud) listenPages() (err error) {
	cfg := c.o.Config.HTTP
	if c.http, err = net.Listen("tcp", cfg.Listen); err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	if cfg.TLS.Listen == "" {
		return nil
	}
	if c.secured, err = c.secure(cfg.TLS); err != nil {
		return err
	}
	if c.https, err = net.Listen("tcp", cfg.TLS.Listen); err != nil {
		return fmt.Errorf("listen for HTTPS: %w", err)
	}
	return nil
}

// secure gives the settings of the pages' TLS. 1.2 is for the machines of offices. A certificate of a person may be shown, and a browser
// asks its user only when it has one of our authority. Which one is good for whom, signing in says: who has an old one would otherwise
// see nothing but that the connection has failed.
func (c *Cloud) secure(cfg config.HTTPTLS) (*tls.Config, error) {
	settings := &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, ClientCAs: x509.NewCertPool(), Time: time.Now, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.doors.centre.Papers().TLS, nil },
	}
	for _, root := range c.doors.register.Roots().TLS {
		settings.ClientCAs.AddCert(root)
	}
	if cfg.Cert == "" {
		return settings, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the pages: %w", err)
	}
	settings.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	return settings, nil
}

// servePages answers until ctx ends.
func (c *Cloud) servePages(ctx context.Context, run func(func() error)) {
	run(func() error { return web.Serve(ctx, c.http, nil, c.pages, c.o.Log) })
	if c.https != nil {
		run(func() error { return web.Serve(ctx, c.https, c.secured, c.pages, c.o.Log) })
	}
}
