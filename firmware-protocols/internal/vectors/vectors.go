// Package vectors gives the byte-exact examples that hold the protocol codecs to their manuals. It is for tests only.
package vectors

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"testing"
)

//go:embed vectors.json
var file []byte

// Vector is one frame on the wire and what it means.
type Vector struct {
	Protocol   string `json:"protocol"`
	Name       string `json:"name"`      // unique within its protocol
	Direction  string `json:"direction"` // host>device or device>host
	Origin     string `json:"origin"`    // published or computed
	Hex        string `json:"hex"`
	Meaning    string `json:"meaning"`
	Text       string `json:"text"` // what Bytes[TextOffset:TextOffset+TextLen] says in Enc
	TextOffset int    `json:"text_offset"`
	TextLen    int    `json:"text_len"`
	Enc        string `json:"enc"` // empty: the protocol's usual encoding
	ID         string `json:"id"`  // invented citizen number inside an sdt card reply
	SAM        string `json:"sam"` // number of the security module inside an sdt reply, as people write it

	Bytes []byte `json:"-"` // Hex decoded
}

// For gives every vector of one protocol in the file's order. A protocol without vectors fails the test.
func For(t testing.TB, protocol string) []Vector {
	t.Helper()
	var all struct {
		Vectors []Vector `json:"vectors"`
	}
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatalf("read vectors.json: %v", err)
	}
	var found []Vector
	for _, v := range all.Vectors {
		if v.Protocol != protocol {
			continue
		}
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatalf("vector %s/%s: %v", v.Protocol, v.Name, err)
		}
		v.Bytes = b
		found = append(found, v)
	}
	if len(found) == 0 {
		t.Fatalf("no vectors for protocol %q", protocol)
	}
	return found
}

// One gives the named vector of a protocol, or fails the test.
func One(t testing.TB, protocol, name string) Vector {
	t.Helper()
	for _, v := range For(t, protocol) {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vector %s/%s", protocol, name)
	return Vector{}
}
