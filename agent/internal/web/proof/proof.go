// Package proof gives what screens are sent a number, an end and a code of their own, so that a page can tell what this agent says now from
// what it said before, from what it said to another screen, and from what somebody else says.
//
// The code is HMAC-SHA256 and not HMAC-SM3, because browsers know no other. A browser without it (an old one, or one that came by plain
// HTTP from elsewhere) has number and end alone: they keep out what is repeated or late, not what is made up.
package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Life is how long what a screen is sent may be shown at first: a call that is later is no call.
const Life = 10 * time.Second

// Key is the key of one page that is open. It dies with the process.
type Key []byte

// Session is what a page needs to know. It goes to the page alone, by the way it came.
type Session struct {
	ID  string `json:"id"`  // goes with its requests
	Key string `json:"key"` // base64
}

// Stamp is the number and the end of something.
type Stamp struct {
	N     uint64 `json:"n"`     // higher than that of anything sent before
	Until int64  `json:"until"` // in milliseconds of Unix time
}

// Maker makes proofs. It is safe for concurrent use.
type Maker struct {
	secret [sha256.Size]byte

	mu sync.Mutex
	n  uint64
}

// New gives a maker. Its numbers start at the time, so that a page from before a restart finds later ones higher.
func New() *Maker {
	m := &Maker{n: uint64(time.Now().UnixMilli()) << 8}
	_, _ = rand.Read(m.secret[:]) // never fails: crypto/rand ends the program instead
	return m
}

// Session begins a session of the page that somebody's credential has opened.
func (m *Maker) Session(credential, page string) Session {
	id := rand.Text()
	return Session{ID: id, Key: base64.StdEncoding.EncodeToString(m.Key(credential, page, id))}
}

// Key gives the key of a session. Another's session, or one of an earlier process, gives a key that its page does not have.
func (m *Maker) Key(credential, page, id string) Key {
	h := hmac.New(sha256.New, m.secret[:])
	for _, part := range []string{credential, page, id} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes everything
	}
	return h.Sum(nil)
}

// Stamp gives the next number, and the end of what is sent now.
func (m *Maker) Stamp() Stamp {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	return Stamp{N: m.n, Until: time.Now().Add(Life).UnixMilli()}
}

// wrapped is how something travels.
type wrapped struct {
	Stamp
	MAC  string `json:"mac"` // base64
	Data string `json:"data"`
}

// Wrap gives the data of an event with a proof of all that it says.
func (m *Maker) Wrap(k Key, event string, data []byte) ([]byte, error) {
	w := wrapped{Stamp: m.Stamp(), Data: string(data)}
	w.MAC = base64.StdEncoding.EncodeToString(k.code(event, w.Stamp, w.Data))
	return json.Marshal(w)
}

// code gives the code of an event: over its name, its number and its end, each with a line break after it, and its data.
func (k Key) code(event string, s Stamp, data string) []byte {
	h := hmac.New(sha256.New, k)
	_, _ = h.Write([]byte(event + "\n" + strconv.FormatUint(s.N, 10) + "\n" + strconv.FormatInt(s.Until, 10) + "\n" + data)) // a hash takes everything
	return h.Sum(nil)
}
