package cloud

import (
	"context"
	"slices"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// boxKey gives the key for encryption that a hall was given last; known is false when it has none.
func boxKey(ctx context.Context, st *store.Store, hall hallsync.HallID) (key gm.PublicKey, known bool, err error) {
	issued, err := st.Certificates(ctx, string(hall))
	if err != nil {
		return key, false, err
	}
	for _, row := range slices.Backward(issued) {
		if row.Kind == string(pki.HallEncrypt) && row.Revoked.IsZero() {
			c, err := cert.Parse(row.DER)
			if err != nil {
				return key, false, err
			}
			return c.PublicKey(), true, nil
		}
	}
	return key, false, nil
}

// tellEvery is how often halls that stay connected are told again: a new key of the index reaches them within a day.
const tellEvery = 8 * time.Hour

// tell does so until ctx ends.
func (c *Cloud) tell(ctx context.Context) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.tellAll()
			if _, err := c.tellOrders(ctx, nil); err != nil && ctx.Err() == nil { // again: a hall that had many may have put some off
				c.o.Log.Warn("halls not told of orders", "error", err)
			}
		}
	}
}
