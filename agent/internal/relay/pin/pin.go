// Package pin knows the hall's cameras again: by the network card and the key of the machine that answers at a camera's address. What
// answered first, with pictures, is the camera from then on; another machine is not, until somebody of the hall says so.
//
// A key is proven in each handshake. A card's address can be copied by whoever is on the same segment, and is not seen behind a router.
// What a machine says of itself proves nothing and changes with its firmware: it is a hint for people, where there is nothing else.
package pin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Machine is what is known of a machine at a camera's address. What could not be seen is empty.
type Machine struct {
	MAC  string `json:"mac"`  // of its network card, c0:56:e3:01:02:03
	Key  string `json:"key"`  // SHA-256 of the public key in its certificate, in hexadecimal
	Says string `json:"says"` // what it says of itself
}

// Verdict says whether a machine is the one that is known.
type Verdict string

// The verdicts.
const (
	First   Verdict = "first"   // none is known
	Same    Verdict = "same"    // or nothing speaks against it
	Unlike  Verdict = "unlike"  // nothing proves that it is, and it says something else of itself
	Changed Verdict = "changed" // it is another one
)

// Judge tells whether the machine that was seen is the known one. The key goes before the card: who has the key is the camera, whichever
// card it has now.
func Judge(known, seen Machine) Verdict {
	switch {
	case known == Machine{}:
		return First
	case known.Key != "" && seen.Key != "":
		return same(known.Key, seen.Key)
	case known.MAC != "" && seen.MAC != "":
		return same(known.MAC, seen.MAC)
	case known.Says != "" && seen.Says != "" && known.Says != seen.Says:
		return Unlike
	}
	return Same
}

func same(known, seen string) Verdict {
	if known == seen {
		return Same
	}
	return Changed
}

// Known gives the machine that is expected: the one that was learnt, or by what somebody has written by hand, where that is not what was
// learnt. Whoever writes it by hand has seen the camera.
func Known(learnt, written Machine) Machine {
	if written.MAC != "" && written.MAC != learnt.MAC || written.Key != "" && written.Key != learnt.Key {
		return written
	}
	return learnt
}

// Learn gives what is to be known of a camera after it was seen. What is written by hand stays.
func Learn(known, seen, written Machine) Machine {
	return Machine{
		MAC:  cmp.Or(written.MAC, seen.MAC, known.MAC),
		Key:  cmp.Or(written.Key, seen.Key, known.Key),
		Says: cmp.Or(seen.Says, known.Says),
	}
}

// maxSaid is how many characters are kept of what a machine says of itself.
const maxSaid = 200

// Said puts together what a machine says of itself, as people can read it.
func Said(parts ...string) string {
	out, n := strings.Builder{}, 0
	for _, part := range parts {
		part = strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, part))
		if part == "" {
			continue
		}
		if out.Len() > 0 {
			part = " · " + part
		}
		for _, r := range part {
			if n++; n <= maxSaid {
				out.WriteRune(r)
			}
		}
	}
	return out.String()
}

// KeyOf names the public key of a certificate.
func KeyOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Book is where it is written by what cameras are known: the hall's log. A nil book is that of a relay without a hall, which knows no
// camera again.
type Book struct{ hall *hall.Hall }

// NewBook gives the book of a hall.
func NewBook(h *hall.Hall) *Book { return &Book{h} }

// Learnt gives what was learnt of a camera.
func (b *Book) Learnt(code string) (m Machine) {
	if b == nil {
		return Machine{}
	}
	b.hall.Read(func(s *queue.State, _ hallsync.Seq) {
		f := s.Camera(code)
		m = Machine{f.MAC, f.Key, f.Says}
	})
	return m
}

// Write writes down by what a camera is known from now on. It does nothing when that is written there.
func (b *Book) Write(ctx context.Context, code string, m Machine) error {
	if b == nil || b.Learnt(code) == m {
		return nil
	}
	if _, err := b.hall.Do(ctx, Fact(code, m, hallsync.By{Kind: "system"})); err != nil {
		return fmt.Errorf("write down by what camera %s is known: %w", code, err)
	}
	return nil
}

// Fact is the command by which a camera is known from then on by what somebody says.
func Fact(code string, m Machine, by hallsync.By) queue.Command {
	return queue.PinCamera{Fact: hallsync.CameraPinned{Camera: code, MAC: m.MAC, Key: m.Key, Says: m.Says, By: by}}
}
