package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/store"
)

// The second factor is a code by time (RFC 6238) as every authenticator makes it: SHA-1, six digits, a new one each 30 seconds.
// This file alone knows the library.
const (
	issuer     = "HallEdge"
	stepLength = 30 // seconds
	codeSize   = 6
	picture    = 220 // pixels of a side
	secretSize = 20  // bytes

	recoveryCodes = 10
	recoverySize  = 10 // bytes of chance in a recovery code
)

// Enrolment is what an authenticator needs to make a user's codes.
type Enrolment struct {
	Secret string // base32, for typing
	URI    string // otpauth, for a link
	PNG    []byte // the URI as a QR code
}

// enrol draws a new secret.
func enrol(user string) (Enrolment, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: user, SecretSize: secretSize})
	if err != nil {
		return Enrolment{}, fmt.Errorf("draw second factor: %w", err)
	}
	img, err := key.Image(picture, picture)
	if err != nil {
		return Enrolment{}, fmt.Errorf("draw second factor: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return Enrolment{}, fmt.Errorf("draw second factor: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URI: key.URL(), PNG: out.Bytes()}, nil
}

// stepOf gives the step of time that a code is of, if it is of now or of the step before or after: clocks differ. A step that is not
// after the last one is none, so that a code that was seen is good for nobody.
func stepOf(secret, code string, now time.Time, last int64) (step int64, ok bool) {
	if len(code) != codeSize {
		return 0, false
	}
	for _, shift := range []int64{0, -1, 1} {
		at := now.Unix()/stepLength + shift
		want, err := totp.GenerateCode(secret, time.Unix(at*stepLength, 0))
		if err == nil && at > last && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return at, true
		}
	}
	return 0, false
}

// takeCode uses up a code or a recovery code of a user, and gives which of them it was; nothing when it was not good.
func (d *Desk) takeCode(tx *store.Tx, user string, a Attempt, now time.Time) (factor string, err error) {
	f, err := d.factorOf(tx, user)
	if err != nil || f.Secret == "" {
		return "", err
	}
	if step, ok := stepOf(f.Secret, a.Code, now, f.Step); ok {
		f.Step = step
		return FactorCode, d.putFactor(tx, user, f)
	}
	had, err := tx.UseRecoveryCode(user, recoveryHash(a.Code))
	if err != nil || !had {
		return "", err
	}
	return FactorRecovery, tx.AddAudit(store.Audit{At: now, Actor: user, By: ByPassword, Action: store.ActionRecovery, Subject: user, Result: "ok", Remote: a.Remote})
}

// drawRecovery makes new recovery codes: as people write them down, and as they are kept.
func drawRecovery() (codes []string, hashes [][32]byte) {
	for range recoveryCodes {
		chance := make([]byte, recoverySize)
		_, _ = rand.Read(chance) // never fails (crypto/rand)
		text := base32.StdEncoding.EncodeToString(chance)
		codes = append(codes, strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-"))
		hashes = append(hashes, recoveryHash(text))
	}
	return codes, hashes
}

// recoveryHash is what is kept of a recovery code, however it was typed.
func recoveryHash(code string) [32]byte {
	return sha256.Sum256([]byte(strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))))
}

// What somebody has shown beside his password, as the audit says it of signing in.
const (
	FactorCode        = "totp"
	FactorRecovery    = "recovery_code"
	FactorCertificate = "certificate"
)

// bound is the certificate that a session is of no use without, and when it is over; empty: there is none.
type bound struct {
	certificate string // as printOf gives it
	until       time.Time
}

// Shown gives the certificate that the client of a request has proved to have the key of; nil: none. Behind a proxy nobody shows one.
// Whose it is, and whether it is any good, the register knows: handshakes take every one.
func Shown(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// printOf names a certificate; none has an empty name.
func printOf(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// second looks for the second factor of somebody whose password is right: his certificate, or else a code. It gives which it was, or what
// is missing; both are empty for who has none. Who has had a certificate issued does not come in without, also when it is over: otherwise
// his password alone would be enough to set up another factor.
func (d *Desk) second(tx *store.Tx, u store.User, a Attempt, now time.Time) (factor string, missing problem.Code, err error) {
	if a.Certificate != nil {
		his, err := tx.HasPersonal(u.Name, a.Certificate.Raw, now)
		if err != nil || his {
			return FactorCertificate, "", err
		}
	}
	switch {
	case u.SecondFactor && a.Code == "":
		return "", CodeNeedsCode, nil
	case u.SecondFactor:
		if factor, err = d.takeCode(tx, u.Name, a, now); err == nil && factor == "" {
			missing = CodeWrongCode
		}
		return factor, missing, err
	case u.Certificate:
		return "", CodeNeedsCertificate, nil
	}
	return "", "", nil
}
