// Package fixedkeys gives the keys of devices that send the same few bytes each time a key is pressed, such as rating devices with an
// ASCII digit for each of their keys. There is no frame and no check: what the bytes are is all there is to know, and comes from
// whoever has the device.
package fixedkeys

import (
	"bytes"
	"errors"
	"fmt"

	"halledge/firmware-protocols/internal/stream"
)

const (
	// MaxKeys is the most keys of a device.
	MaxKeys = 16
	// MaxBytes is the most bytes of a key.
	MaxBytes = 8
)

// ErrKeys says that a line cannot be understood by such keys.
var ErrKeys = errors.New("keys cannot be told apart")

// Decoder finds keys in what a line delivers.
type Decoder struct {
	stream.Window
	keys [][]byte
}

// New makes the decoder of a device whose key number n, counted from 0, sends keys[n]; a key without bytes is one that the device does
// not have. It fails when no key has any, when one has too many, and when one begins as another one does.
func New(keys [][]byte) (*Decoder, error) {
	d := &Decoder{}
	some := false
	if len(keys) > MaxKeys {
		return nil, fmt.Errorf("%w: %d keys, %d at most", ErrKeys, len(keys), MaxKeys)
	}
	for n, key := range keys {
		if len(key) > MaxBytes {
			return nil, fmt.Errorf("%w: key %d has %d bytes, %d at most", ErrKeys, n, len(key), MaxBytes)
		}
		for m, other := range keys[:n] {
			if len(key) > 0 && len(other) > 0 && (bytes.HasPrefix(key, other) || bytes.HasPrefix(other, key)) {
				return nil, fmt.Errorf("%w: key %d begins as key %d", ErrKeys, n, m)
			}
		}
		some = some || len(key) > 0
		d.keys = append(d.keys, bytes.Clone(key))
	}
	if !some {
		return nil, fmt.Errorf("%w: there are none", ErrKeys)
	}
	return d, nil
}

// Next gives the number of the next key, if one is there.
func (d *Decoder) Next() (key int, ok bool) {
	ok = d.Find(func(b []byte) (size int) {
		key, size = d.at(b)
		return size
	})
	return key, ok
}

// at gives the key at the beginning of b and its size: 0 if it is not whole yet, -1 if none can begin so.
func (d *Decoder) at(b []byte) (key, size int) {
	size = -1
	for n, k := range d.keys {
		switch {
		case len(k) == 0:
		case bytes.HasPrefix(b, k):
			return n, len(k)
		case bytes.HasPrefix(k, b):
			size = 0
		}
	}
	return 0, size
}
