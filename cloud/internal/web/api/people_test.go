package api

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// shown are the texts of facts that are of nobody: names of things, numbers on slips, words out of lists.
var shown = strings.Fields(`booking bookings business_day camera carried channel class code day device flow_no from grade how id identity_state instead key kind mac next number
	order out place position printer proof queue reasons rule says source state then ticket tickets to why window windows`)

// TestFactsWithoutPeople fails for a field of a fact about which nobody has said whether those may read it who see no people.
func TestFactsWithoutPeople(t *testing.T) {
	const said = "张三，13800000000"
	files, err := os.ReadDir("../../../../firmware-protocols/hallsync/testdata/v1")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d kinds, %v", len(files), err)
	}
	for _, f := range files {
		kind := hallsync.Kind(strings.TrimSuffix(f.Name(), ".json"))
		p, err := hallsync.Event{Kind: kind, V: 1, Payload: json.RawMessage(`{}`)}.Decode()
		if unknown := (*hallsync.UnknownKindError)(nil); errors.As(err, &unknown) {
			continue // of a kind of a later program nothing is shown: see fact
		}
		if err != nil {
			t.Fatal(err)
		}
		full := reflect.New(reflect.TypeOf(p)).Elem()
		fill(full, said)
		raw, err := json.Marshal(full.Interface())
		if err != nil {
			t.Fatal(err)
		}
		var left any
		if err := json.Unmarshal(withoutPeople(raw), &left); err != nil {
			t.Fatal(kind, err)
		}
		for _, key := range keysWith(left, said) {
			if !slices.Contains(shown, key) {
				t.Errorf("%s: %s is shown to those who see no people", kind, key)
			}
		}
	}
}

// fill writes a text into every field of text.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 0)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

// keysWith gives the keys under which a text stands.
func keysWith(v any, text string) (keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			if list, ok := part.([]any); part == text || ok && slices.Contains(list, any(text)) {
				keys = append(keys, key)
			}
			keys = append(keys, keysWith(part, text)...)
		}
	case []any:
		for _, part := range v {
			keys = append(keys, keysWith(part, text)...)
		}
	}
	return keys
}
