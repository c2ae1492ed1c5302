package hallsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// sources parses the package's own files, because constants and methods cannot be listed at run time.
func sources(t testing.TB) []*ast.File {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, n := range names {
		if strings.HasSuffix(n.Name(), ".go") && !strings.HasSuffix(n.Name(), "_test.go") {
			f, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
	}
	return files
}

// declaredKinds is every constant of type Kind.
func declaredKinds(t testing.TB) []hallsync.Kind {
	t.Helper()
	var kinds []hallsync.Kind
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Kind" {
				return true
			}
			for _, value := range v.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, hallsync.Kind(text))
			}
			return true
		})
	}
	if len(kinds) < 24 {
		t.Fatalf("found only %d kinds: %v", len(kinds), kinds)
	}
	return kinds
}

// payloadTypes is the name of every type with a method Kind.
func payloadTypes(t testing.TB) map[string]bool {
	t.Helper()
	types := map[string]bool{}
	for _, f := range sources(t) {
		for _, d := range f.Decls {
			if m, ok := d.(*ast.FuncDecl); ok && m.Recv != nil && m.Name.Name == "Kind" {
				types[m.Recv.List[0].Type.(*ast.Ident).Name] = true
			}
		}
	}
	return types
}

func decode(k hallsync.Kind, payload string) (hallsync.Payload, error) {
	return hallsync.Event{Kind: k, V: 1, Payload: json.RawMessage(payload)}.Decode()
}

func TestEveryKindDecodesToItsOwnType(t *testing.T) {
	types := payloadTypes(t)
	seen := map[hallsync.Kind]bool{}
	for _, k := range declaredKinds(t) {
		if seen[k] {
			t.Errorf("two constants are %q", k)
		}
		seen[k] = true
		p, err := decode(k, `{}`)
		if err != nil {
			t.Errorf("%s is not decoded: %v", k, err)
			continue
		}
		if p.Kind() != k {
			t.Errorf("%s decodes to a %T, whose kind is %s", k, p, p.Kind())
		}
		delete(types, reflect.TypeOf(p).Name())
	}
	for name := range types {
		t.Errorf("no kind decodes to a %s", name)
	}
}

// A payload with a ticket or a window is about it.
func TestSubjectsAreTheTicketAndTheWindow(t *testing.T) {
	for _, k := range declaredKinds(t) {
		p, err := decode(k, `{"ticket":"t","window":"w"}`)
		if err != nil {
			t.Fatal(err)
		}
		var want hallsync.Subject
		if v := reflect.ValueOf(p).FieldByName("Ticket"); v.IsValid() {
			want.Ticket = "t"
		}
		if v := reflect.ValueOf(p).FieldByName("Window"); v.IsValid() {
			want.Window = "w"
		}
		if got := p.Subject(); got != want {
			t.Errorf("%s is about %+v, want %+v", k, got, want)
		}
	}
}

// TestEveryFieldSurvivesTheWire fills every field of every payload with a value of its own, so that a field without a JSON
// name, or two fields with one, do not go unnoticed.
func TestEveryFieldSurvivesTheWire(t *testing.T) {
	for _, k := range declaredKinds(t) {
		blank, err := decode(k, `{}`)
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.New(reflect.TypeOf(blank)).Elem()
		n := 0
		fill(t, v, &n)
		want := v.Interface().(hallsync.Payload)
		e, err := hallsync.NewEvent(hall, epoch, 1, time.Now(), want)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != k || e.V != 1 {
			t.Errorf("%T is written as %s version %d", want, e.Kind, e.V)
		}
		got, err := e.Decode()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", k, got, err, want)
		}
		if len(e.Payload) > hallsync.MaxEventBytes {
			t.Errorf("%s: %d bytes", k, len(e.Payload))
		}
	}
}

// fill gives every field under v a value that no other field has.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(int64(*n), 0).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("s" + strconv.Itoa(*n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n & 0xff))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("cannot fill a %s", v.Type())
	}
}

func TestUnknownKindsAndVersions(t *testing.T) {
	for _, e := range []hallsync.Event{
		{Kind: "ticket.folded", V: 1, Payload: json.RawMessage(`{}`)},
		{Kind: "", V: 1, Payload: json.RawMessage(`{}`)},
		{Kind: hallsync.KindTicketTaken, V: 0, Payload: json.RawMessage(`{}`)},
		{Kind: hallsync.KindTicketTaken, V: 2, Payload: json.RawMessage(`{}`)},
	} {
		var unknown *hallsync.UnknownKindError
		p, err := e.Decode()
		if p != nil || !errors.As(err, &unknown) || unknown.Kind != e.Kind || unknown.V != e.V {
			t.Errorf("%s version %d: %v, %v", e.Kind, e.V, p, err)
		} else if !strings.Contains(err.Error(), strconv.Quote(string(e.Kind))) {
			t.Errorf("the error does not name the kind: %v", err)
		}
	}
}

func TestPayloadsThatAreNot(t *testing.T) {
	for _, k := range declaredKinds(t) {
		for _, payload := range []string{``, `{`, `[]`, `"x"`, `{} {}`, "{\"ticket\": \xff"} {
			var bad *hallsync.PayloadError
			p, err := decode(k, payload)
			if p != nil || !errors.As(err, &bad) || bad.Kind != k {
				t.Errorf("%s from %q: %v, %v", k, payload, p, err)
			}
		}
	}
	_, err := decode(hallsync.KindTicketTaken, `{"ordinal":"many"}`)
	var wrongType *json.UnmarshalTypeError
	if !errors.As(err, &wrongType) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// FuzzEvent decodes anything; a fact that can be read is written and read again as the same.
func FuzzEvent(f *testing.F) {
	for k := range wrote() {
		f.Add(readGolden(f, k))
	}
	f.Add([]byte(`{"kind":"ticket.closed","v":1,"seq":"9007199254740993","payload":null}`))
	f.Add([]byte(`{"kind":"key.made","v":1,"payload":{"wraps":[]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e hallsync.Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		p, err := e.Decode()
		if err != nil {
			return
		}
		again, err := hallsync.NewEvent(e.Hall, e.Epoch, e.Seq, e.At, p)
		if err != nil {
			t.Fatalf("%+v is not written: %v", p, err)
		}
		line, err := json.Marshal(again)
		if err != nil {
			t.Fatalf("%+v is not written: %v", again, err)
		}
		var e2 hallsync.Event
		if err := json.Unmarshal(line, &e2); err != nil {
			t.Fatalf("%s is not read: %v", line, err)
		}
		p2, err := e2.Decode()
		if err != nil || e2.Seq != e.Seq || e2.Kind != e.Kind {
			t.Fatalf("%+v became %+v, %v", p, p2, err)
		}
		e2, err = hallsync.NewEvent(e.Hall, e.Epoch, e.Seq, e.At, p2) // an empty list is none
		if line2, failed := json.Marshal(e2); err != nil || failed != nil || !bytes.Equal(line, line2) {
			t.Fatalf("%s became %s, %v, %v", line, line2, err, failed)
		}
	})
}
