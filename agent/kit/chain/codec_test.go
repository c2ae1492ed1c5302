package chain_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"halledge/agent/kit/chain"
)

// forms gives one of each thing that is stored, and the way back.
func forms(t testing.TB) map[string]any {
	key := newKey(t)
	start, _, s := begun(t)
	link := appended(t, s, entry(1)).Link
	c, err := s.Checkpoint(noon).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := chain.Receive(s.Point(), noon, key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"start": start, "link": link, "state": s, "checkpoint": c, "receipt": r, "unsigned": s.Checkpoint(noon)}
}

type former interface{ Bytes() []byte }

// parse reads whatever it is.
func parse(b []byte) (got []former, errs []error) {
	add := func(f former, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		got = append(got, f)
	}
	start, err := chain.ParseStart(b)
	add(start, err)
	link, err := chain.ParseLink(b)
	add(link, err)
	state, err := chain.ParseState(b)
	add(state, err)
	c, err := chain.ParseCheckpoint(b)
	add(c, err)
	r, err := chain.ParseReceipt(b)
	add(r, err)
	return got, errs
}

func TestEverythingComesBackAsItWas(t *testing.T) {
	for name, want := range forms(t) {
		raw := want.(former).Bytes()
		got, _ := parse(raw)
		if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s is read as %+v, want %+v", name, got, want)
		}
		for _, bad := range [][]byte{nil, raw[:1], raw[:len(raw)-1], append(bytes.Clone(raw), 0), append([]byte{raw[0], 2}, raw[2:]...)} {
			if got, errs := parse(bad); len(got) != 0 || !errors.Is(errs[0], chain.ErrForm) {
				t.Errorf("%s: %x is read as %+v", name, bad, got)
			}
		}
	}
}

func TestWhatCannotBeIsNotRead(t *testing.T) {
	good, _, st := begun(t)
	long := strings.Repeat("x", chain.MaxName+1)
	point := st.Checkpoint(noon)
	point.Signature = make([]byte, 73) // SM2 in DER has 72 bytes at most
	for name, bad := range map[string]former{
		"no log":         chain.Start{First: 1, Why: chain.First},
		"no reason":      chain.Start{Log: good.Log, First: 1},
		"no number":      chain.Start{Log: good.Log, Why: chain.First},
		"long log":       chain.Start{Log: long, First: 1, Why: chain.First},
		"long name":      chain.Start{Log: good.Log, Name: long, First: 1, Why: chain.First},
		"long reason":    chain.Start{Log: good.Log, First: 1, Why: chain.Reason(long)},
		"long signature": point,
		"long receipt":   chain.Receipt(point),
	} {
		if got, errs := parse(bad.Bytes()); len(got) != 0 || !errors.Is(errs[0], chain.ErrForm) {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

// Of each value there is one form, of one kind.
func FuzzParse(f *testing.F) {
	for _, v := range forms(f) {
		f.Add(v.(former).Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, errs := parse(b)
		if len(got) > 1 {
			t.Fatalf("%x is read as %+v", b, got)
		}
		for _, v := range got {
			if again := v.Bytes(); !bytes.Equal(again, b) {
				t.Fatalf("%x is written again as %x", b, again)
			}
		}
		for _, err := range errs {
			if !errors.Is(err, chain.ErrForm) {
				t.Fatal(err)
			}
		}
	})
}
