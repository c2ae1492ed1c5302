package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"halledge/cloud/internal/store"
)

func certificate(serial, holder string, issued time.Time) store.Certificate {
	return store.Certificate{
		Serial: serial, Kind: "hall_tls", Holder: holder, DER: []byte(serial),
		From: issued.Add(-time.Hour), Until: issued.Add(24 * time.Hour), Issued: issued,
	}
}

func TestCertificatesComeBackAndAreRevoked(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	at := time.UnixMilli(start.UnixMilli())
	one, two, other := certificate("01", "a", at), certificate("02", "a", at.Add(time.Hour)), certificate("03", "b", at.Add(2*time.Hour))
	over := certificate("00", "a", at.Add(-48*time.Hour))
	write(t, st, func(tx *store.Tx) error {
		last, err := tx.LastIssued()
		expect(t, "last of none", err, last, time.Time{})
		number, revoked, err := tx.Revocations(at)
		expect(t, "number of none", err, number, int64(0))
		expect(t, "revoked of none", nil, revoked, []store.Certificate{})
		for _, c := range []store.Certificate{one, two, other, over} {
			if err := tx.AddCertificate(c); err != nil {
				return err
			}
		}
		last, err = tx.LastIssued()
		expect(t, "last", err, last, other.Issued)
		of, err := tx.CertificatesOf("hall_tls")
		expect(t, "of a kind", err, of, []store.Certificate{over, one, two, other})
		return nil
	})
	if err := st.Write(t.Context(), func(tx *store.Tx) error { return tx.AddCertificate(one) }); err == nil {
		t.Error("a serial number was given twice")
	}
	now := at.Add(3 * time.Hour)
	write(t, st, func(tx *store.Tx) error {
		n, err := tx.RevokeCertificates("a", "stolen", now)
		expect(t, "revoked now", err, n, 2)
		n, err = tx.RevokeCertificates("a", "again", now.Add(time.Hour))
		expect(t, "revoked again", err, n, 0)
		return nil
	})
	one.Revoked, one.Reason, two.Revoked, two.Reason = now, "stolen", now, "stolen"
	all, err := st.Certificates(t.Context(), "a")
	expect(t, "of a holder", err, all, []store.Certificate{over, one, two})
	write(t, st, func(tx *store.Tx) error {
		for _, step := range []struct{ least, number int64 }{{100, 100}, {100, 101}, {50, 102}, {200, 200}} {
			if err := tx.RaiseRevocationNumber(step.least); err != nil {
				return err
			}
			number, revoked, err := tx.Revocations(now)
			expect(t, "number", err, number, step.number)
			expect(t, "list", nil, revoked, []store.Certificate{one, two})
		}
		_, revoked, err := tx.Revocations(one.Until)
		expect(t, "list after one's end", err, revoked, []store.Certificate{two})
		return nil
	})
}

func TestEnrolCodesAreCounted(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	at := time.UnixMilli(start.UnixMilli())
	c := store.EnrolCode{Hash: [32]byte{1}, Hall: hall, Serial: "SN1", Created: at, Until: at.Add(time.Minute)}
	write(t, st, func(tx *store.Tx) error {
		for _, err := range []error{
			tx.AddEnrolCode(c), tx.AddEnrolCode(store.EnrolCode{Hash: [32]byte{2}, Hall: hall, Created: at, Until: at.Add(time.Hour)}),
			tx.UseEnrolCode(c.Hash), tx.FailEnrolCode(c.Hash), tx.FailEnrolCode(c.Hash),
		} {
			if err != nil {
				return err
			}
		}
		got, found, err := tx.EnrolCode(c.Hash)
		c.Uses, c.Failed = 1, 2
		expect(t, "found", err, found, true)
		expect(t, "code", nil, got, c)
		if err := tx.PruneEnrolCodes(at.Add(2 * time.Minute)); err != nil {
			return err
		}
		_, found, err = tx.EnrolCode(c.Hash)
		expect(t, "after its end", err, found, false)
		_, found, err = tx.EnrolCode([32]byte{2})
		expect(t, "the other", err, found, true)
		return nil
	})
}
