package hallsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// chest keeps what was sealed in the order of its parts, so that whatever is opened was sealed about the same.
type chest struct{ closed map[string][]byte }

func (c *chest) Seal(plain []byte, about ...string) ([]byte, error) {
	c.closed[strings.Join(about, "\x00")] = bytes.Clone(plain)
	return []byte("record"), nil
}

func (c *chest) Open(_ []byte, about ...string) ([]byte, error) {
	if plain := c.closed[strings.Join(about, "\x00")]; plain != nil {
		return plain, nil
	}
	return nil, errors.New("sealed about something else")
}

func TestFactsAreSealedAboutWhatIsClear(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 26, 53, 589_000_000, time.FixedZone("", 8*3600))
	c := &chest{closed: map[string][]byte{}}
	for k, p := range wrote() {
		plain, err := hallsync.NewEvent(hall, epoch, 58, at, p)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := plain.Seal(c)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if k.InClear() {
			if sealed.Sealed != nil || !reflect.DeepEqual(sealed, plain) {
				t.Errorf("%s is sealed", k)
			}
			continue
		}
		if strings.Contains(string(raw), "payload") || string(sealed.Body()) != "record" {
			t.Errorf("%s is written as %s", k, raw)
		}
		var back hallsync.Event
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		var closed *hallsync.SealedError
		if _, err := back.Decode(); !errors.As(err, &closed) || closed.Kind != k {
			t.Errorf("%s sealed decodes: %v", k, err)
		}
		open, err := back.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := open.Decode(); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s opened is %+v, %v", k, got, err)
		}
		for name, move := range map[string]func(*hallsync.Event){
			"hall":  func(e *hallsync.Event) { e.Hall = "440900000000002" },
			"epoch": func(e *hallsync.Event) { e.Epoch += "x" },
			"seq":   func(e *hallsync.Event) { e.Seq++ },
			"kind":  func(e *hallsync.Event) { e.Kind = "other" },
			"v":     func(e *hallsync.Event) { e.V = 2 },
			"at":    func(e *hallsync.Event) { e.At = e.At.Add(time.Nanosecond) },
		} {
			moved := back
			move(&moved)
			if _, err := moved.Open(c); err == nil {
				t.Errorf("%s opens with another %s", k, name)
			}
		}
	}
}

// The clear part is the same however the time is written, and nothing moves from one field into the next.
func TestClearPart(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 26, 53, 0, time.FixedZone("", 8*3600))
	e := hallsync.Event{Hall: hall, Epoch: "ab", Seq: 7, Kind: "c.d", V: 1, At: at}
	want := "\x00\x00\x00\x0f440900000000001\x00\x00\x00\x02ab\x00\x00\x00\x03c.d\x00\x00\x00\x142026-03-02T01:26:53Z\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x01"
	if got := string(e.Clear()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	utc := e
	utc.At = at.UTC()
	if !bytes.Equal(utc.Clear(), e.Clear()) {
		t.Error("the same moment is clear in two ways")
	}
}

func TestErasedFactsSayNothing(t *testing.T) {
	e := hallsync.Event{Hall: hall, Epoch: epoch, Seq: 58, Kind: hallsync.KindTicketRated, V: 1, Erased: &hallsync.Erased{Hash: []byte{1}, Order: "o"}}
	var gone *hallsync.ErasedError
	if _, err := e.Decode(); !errors.As(err, &gone) || e.Body() != nil {
		t.Errorf("%v, body %x", err, e.Body())
	}
}

func TestWhatIsPersonal(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		p    hallsync.Payload
		want bool
	}{
		{hallsync.TicketTaken{Ticket: "t", Number: "A001"}, false},
		{hallsync.TicketTaken{Ticket: "t", Number: "A001", Person: "digest"}, true},
		{hallsync.TicketTaken{Ticket: "t", Number: "A001", ClassReason: "军属"}, true},
		{hallsync.PersonBlocked{Person: "digest"}, true},
		{hallsync.DeviceChanged{Device: "reason"}, false},
		{hallsync.PersonErased{Order: "o"}, false},
	} {
		e, err := hallsync.NewEvent(hall, epoch, 1, at, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if e.Personal() != c.want {
			t.Errorf("%s is personal: %v", e.Payload, e.Personal())
		}
	}
	if !(hallsync.Event{Payload: json.RawMessage("noise")}).Personal() || (hallsync.Event{Erased: &hallsync.Erased{}}).Personal() {
		t.Error("what cannot be read is not personal, or what is gone is")
	}
}

// Threat 31: an order to forget a person names him by whole digests, and nobody else.
func TestThreat31AnOrderToForgetIsOfOnePerson(t *testing.T) {
	const digest = "5f0a3c9d1e2b4a685f0a3c9d1e2b4a68"
	many := strings.Repeat(`"`+digest+`",`, hallsync.MaxIndex)
	for args, good := range map[string]bool{
		`{"order":"o","persons":["` + digest + `"]}`:                               true,
		`{"order":"o","persons":[` + many[:len(many)-1] + `]}`:                     true,
		`{"order":"o","persons":[` + many + `"` + digest + `"]}`:                   false,
		`{"order":"","persons":["` + digest + `"]}`:                                false,
		`{"order":"` + strings.Repeat("o", 65) + `","persons":["` + digest + `"]}`: false,
		`{"order":"o","persons":[]}`:                                               false,
		`{"order":"o"}`:                                                            false,
		`{"order":"o","persons":["a"]}`:                                            false,
		`{"order":"o","persons":[""]}`:                                             false,
		`{"order":"o","persons":["` + digest + `","5"]}`:                           false,
		`{"order":"o","persons":["` + digest[1:] + `"]}`:                           false,
		`{"order":"o","persons":["` + digest + `0"]}`:                              false,
		`{"order":"o","persons":["` + strings.ToUpper(digest) + `"]}`:              false,
		`{"order":"o","persons":["` + digest[1:] + `g"]}`:                          false,
		`{"order":"o","persons":["` + digest[1:] + `张"]}`:                          false,
		`["` + digest + `"]`:                                                       false,
	} {
		e, err := hallsync.ParseErasePerson([]byte(args))
		var refused *hallsync.SignedError
		if (err == nil) != good || e.Valid() != good || !good && (!errors.As(err, &refused) || refused.Why != hallsync.RefusedForm) {
			t.Errorf("%s: %+v, %v", args, e, err)
		}
	}
}
