package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// fileRevoked holds the newest list of revoked certificates, as it was signed.
const fileRevoked = "revoked.json"

// opened gives a list that one of the keys has signed.
func opened(signed hallsync.SignedRevocations, keys []gm.PublicKey) (hallsync.Revocations, error) {
	message := hallsync.RevocationsMessage(signed.List)
	if !slices.ContainsFunc(keys, func(k gm.PublicKey) bool { return k.Verify(message, signed.Signature) }) {
		return hallsync.Revocations{}, wrong("a list of revoked certificates that the centre has not signed")
	}
	list, err := signed.Body()
	if err != nil {
		return hallsync.Revocations{}, wrong("no list of revoked certificates")
	}
	return list, nil
}

// Revoke takes a list of revoked certificates into force: from then on nothing is spoken with their holders. A list that is older than
// the one in force changes nothing; one that no key of the centre's that we know has signed is an error. The centre may have a new key,
// so Run then asks for certificates, and with them for the keys.
func (i *Identity) Revoke(signed hallsync.SignedRevocations) error {
	p := i.papers()
	if p == nil {
		return &Fault{Code: CodeNotEnrolled}
	}
	list, err := opened(signed, p.receipts)
	if err != nil {
		i.mu.Lock()
		i.behind = true
		i.mu.Unlock()
		return err
	}
	i.Learned(list.At)
	if !i.putRevoked(list) {
		return nil
	}
	data, err := json.Marshal(signed)
	if err != nil {
		return fmt.Errorf("keep revocations: %w", err)
	}
	return i.dir.write(fileRevoked, data)
}

// putRevoked puts a list into force, and reports whether it is newer than the one before it.
func (i *Identity) putRevoked(list hallsync.Revocations) bool {
	serials := make(map[string]bool, len(list.Serials))
	for _, s := range list.Serials {
		serials[strings.ToLower(s)] = true
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.revoked != nil && list.Number <= i.revokedNumber {
		return false
	}
	i.revoked, i.revokedNumber = serials, list.Number
	for c := range i.live {
		if serials[c.serial] {
			i.o.Log.Warn("connection with a revoked certificate cut", "remote", c.RemoteAddr().String())
			_ = c.raw.Close() // whoever holds it finds out; it is off the list when he closes it
		}
	}
	return true
}

// loadRevoked puts the list that came with the certificates into force, and the one that was kept since. One that was signed by another
// centre than the present one is of no use.
func (i *Identity) loadRevoked() {
	p := i.papers()
	if p == nil {
		return
	}
	i.putRevoked(p.revoked)
	data, err := i.dir.read(fileRevoked)
	if err != nil || data == nil {
		return
	}
	var signed hallsync.SignedRevocations
	if json.Unmarshal(data, &signed) != nil {
		return
	}
	if list, err := opened(signed, p.receipts); err == nil {
		i.putRevoked(list)
	}
}

// isRevoked reports whether a certificate with a serial number, in hexadecimal, is over before its time.
func (i *Identity) isRevoked(serial string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.revoked[strings.ToLower(serial)]
}
