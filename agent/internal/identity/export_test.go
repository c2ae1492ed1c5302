package identity

import (
	"crypto/x509"
	"slices"

	"halledge/firmware-protocols/hallsync"
)

// Believed is whom a box believes: roots as they are, keys by their names, and where the centre is.
type Believed struct {
	Roots     hallsync.TrustedRoots
	Keys      []string
	Addresses hallsync.CentreAddresses
}

// Judge gives who finds out what an answer to the request under way, which a code of that root asked for, would bring into force. Nothing of
// it is kept; false: it is refused.
func (i *Identity) Judge(root *x509.Certificate) (func(answer []byte) (Believed, bool), error) {
	r, err := i.request()
	return func(answer []byte) (b Believed, ok bool) {
		given, wait, err := answered(answer, root)
		if err != nil || wait > 0 {
			return b, false
		}
		p, err := i.judged(given, r, "https://centre.example", 0, i.o.Now())
		if err != nil {
			return b, false
		}
		b.Roots = p.Enrolled.Roots
		for _, k := range append(slices.Clone(p.centre), p.receipts...) {
			b.Keys = append(b.Keys, k.ID())
		}
		if p.Enrolled.Addresses != nil {
			b.Addresses = *p.Enrolled.Addresses
		}
		return b, true
	}, err
}

// JudgeSigned is what a renewal's answer is asked first: whether a key that the box believes has signed it.
func (i *Identity) JudgeSigned(signed []byte) (hallsync.Enrolled, bool) {
	given, _, err := i.vouched(i.papers(), signed)
	return given, err == nil
}
