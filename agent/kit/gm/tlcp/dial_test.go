package tlcp

import (
	"context"
	"fmt"
	"net"
)

// connect reaches a server and completes the handshake. An empty host is that of address.
func connect(ctx context.Context, address, host string, c Config) (*Conn, error) {
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("tlcp: dial: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("tlcp: dial: %w", err)
	}
	return Over(ctx, raw, host, c)
}
