package cloud

import (
	"context"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/person"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/term"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// sealedParts are those that have to do with what halls seal.
type sealedParts struct {
	vault   *vault.Vault
	opener  *sealed.Opener
	ingest  *ingest.Ingester
	persons *person.Desk
	terms   *term.Keeper
	changed func(hallsync.HallID, ingest.Touched) // set before the first message comes
}

// openSealed opens the vault, and makes it at the first start.
func (c *Cloud) openSealed(ctx context.Context, registry *prometheus.Registry) error {
	v, err := OpenVault(ctx, c.store, c.o.Config, true)
	if err != nil {
		return err
	}
	s := &c.sealed
	s.vault, s.opener = v, sealed.New(v)
	s.ingest = ingest.New(ingest.Options{
		Store: c.store, Vault: v, Opener: s.opener, Signers: c.signers, Required: c.o.Config.Facts.Sealed == config.SealedRequired,
		Changed: func(hall hallsync.HallID, t ingest.Touched) { s.changed(hall, t) }, Forked: c.forked, Metrics: registry, Log: c.o.Log,
	})
	s.persons = person.New(person.Options{
		Store: c.store, Vault: v, Opener: s.opener, Rebuild: s.ingest.RebuildHall, Term: days(c.o.Config.Facts.Days),
	})
	s.terms = term.New(term.Options{
		Store: c.store, Vault: v, Opener: s.opener, Days: c.o.Config.Facts.Days, Metrics: registry, Log: c.o.Log,
	})
	return nil
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// OpenVault opens the centre's SM2 keys, those that the database knows among them; first makes the first ones.
func OpenVault(ctx context.Context, st *store.Store, cfg config.Config, first bool) (*vault.Vault, error) {
	known, err := st.VaultKeys(ctx)
	if err != nil {
		return nil, err
	}
	directory := cfg.Vault.Directory
	if directory == "" {
		directory = filepath.Join(filepath.Dir(cfg.Database), "vault")
	}
	v, err := vault.Open(vault.Options{Directory: directory, Make: first, Known: known})
	if err != nil {
		return nil, err
	}
	return v, st.Write(ctx, func(tx *store.Tx) error { return tx.AddVaultKeys(v.IDs(), time.Now()) })
}

// ContentKey gives the key that notices are signed with: one of their own, or else the one that the centre signs orders with, which boxes
// that are enrolled know.
func ContentKey(cfg config.Config, orders func() (*vault.Vault, error)) (hallsync.MessageSigner, error) {
	if cfg.Notices.Key.Empty() {
		return orders()
	}
	return gm.ParsePrivateKey(cfg.Notices.Key.Reveal())
}

// signersTimeout bounds the look into the register of certificates.
const signersTimeout = 5 * time.Second

// signers gives the keys that a hall's box signs with: those of its certificates, now and before.
func (c *Cloud) signers(hall hallsync.HallID) []gm.PublicKey {
	ctx, cancel := context.WithTimeout(context.Background(), signersTimeout)
	defer cancel()
	keys, err := Signers(ctx, c.store, hall)
	if err != nil { // then nobody can say who signed, and there is no receipt
		c.o.Log.Warn("signing keys of a hall not read", "hall", hall, "error", err)
	}
	return keys
}

// Signers reads the keys of the certificates for signatures that a hall was given.
func Signers(ctx context.Context, st *store.Store, hall hallsync.HallID) ([]gm.PublicKey, error) {
	issued, err := st.Certificates(ctx, string(hall))
	if err != nil {
		return nil, err
	}
	var keys []gm.PublicKey
	for _, row := range issued {
		if row.Kind != string(pki.HallSign) {
			continue
		}
		c, err := cert.Parse(row.DER)
		if err != nil {
			return nil, err
		}
		keys = append(keys, c.PublicKey())
	}
	return keys, nil
}
