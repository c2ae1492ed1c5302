package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// schemas makes JSON schemas of Go types, structs under their name.
type schemas struct{ named object }

func (s *schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case reflect.TypeFor[hallsync.Seq]():
		return object{"type": []string{"integer", "string"}, "description": "超过 2^53 时写成字符串"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.of(t.Elem()))
	case reflect.Struct:
		return s.structure(t)
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	default: // the numbers in answers are all integers
		return object{"type": "integer"}
	}
}

func nullable(schema object) object {
	if kind, ok := schema["type"].(string); ok {
		schema["type"] = []string{kind, "null"}
		return schema
	}
	return object{"anyOf": []object{schema, {"type": "null"}}}
}

// structure describes a struct once, under its name. An instance of Page is named after its items.
func (s *schemas) structure(t reflect.Type) object {
	name := t.Name()
	if generic, _, found := strings.Cut(name, "["); found {
		items, _ := t.FieldByName("Items")
		name = generic + items.Type.Elem().Name()
	}
	ref := object{"$ref": "#/components/schemas/" + name}
	if _, done := s.named[name]; done {
		return ref
	}
	properties := object{}
	required := []string{}
	s.named[name] = object{"type": "object", "additionalProperties": false, "properties": properties}
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || tag == "" {
			continue
		}
		properties[tag] = s.of(f.Type)
		if !strings.Contains(options, "omitempty") {
			required = append(required, tag)
		}
	}
	slices.Sort(required)
	s.named[name].(object)["required"] = required
	return ref
}
