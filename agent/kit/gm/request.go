package gm

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed question; an answer has the signature alone.
const (
	headerSigner    = "Halledge-Signer"    // who asks
	headerTime      = "Halledge-Time"      // milliseconds since 1970
	headerNonce     = "Halledge-Nonce"     // 16 random bytes, base64url
	headerSignature = "Halledge-Signature" // DER, base64
	headerPeer      = "Halledge-Peer"      // whose signature the asker believes: PublicKey.ID
)

// Bounds of a question and its answer.
const (
	nonceBytes = 16
	maxSigner  = 64
	MaxBody    = 32 << 10               // bytes
	Window     = 120 * time.Second      // how far the clocks of the two may be apart
	nonceKept  = 2*Window + time.Second // longer than any copy of a question can be in time
)

// question is what the signature of a question covers, beside its body.
type question struct{ path, signer, time, nonce string }

func (q question) message(body []byte) []byte {
	digest := Sum(body)
	return lines("halledge-question-1", q.path, q.signer, q.time, q.nonce, hex.EncodeToString(digest[:]))
}

// answerMessage is what the signature of an answer covers. The nonce ties it to its question.
func answerMessage(nonce string, status int, body []byte) []byte {
	digest := Sum(body)
	return lines("halledge-answer-1", nonce, strconv.Itoa(status), hex.EncodeToString(digest[:]))
}

// lines joins what has no line breaks in it: headers and paths cannot.
func lines(parts ...string) []byte { return []byte(strings.Join(parts, "\n")) }

func newNonce() string {
	var b [nonceBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// asked reads the headers of a question; ok is false if one is missing or not of its form.
func asked(r *http.Request) (q question, at time.Time, sig []byte, ok bool) {
	q = question{r.URL.Path, r.Header.Get(headerSigner), r.Header.Get(headerTime), r.Header.Get(headerNonce)}
	ms, err := strconv.ParseInt(q.time, 10, 64)
	nonce, nonceErr := base64.RawURLEncoding.Strict().DecodeString(q.nonce)
	sig, sigErr := base64.StdEncoding.DecodeString(r.Header.Get(headerSignature))
	ok = err == nil && nonceErr == nil && sigErr == nil && len(nonce) == nonceBytes && q.signer != "" && len(q.signer) <= maxSigner
	return q, time.UnixMilli(ms), sig, ok
}
