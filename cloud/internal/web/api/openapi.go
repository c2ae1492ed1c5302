package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// object is a JSON object of the description. encoding/json sorts its keys, so the same routes give the same bytes.
type object = map[string]any

// describe writes the OpenAPI 3.1 document of the routes. The schemas come from the Go types that the handlers answer with.
func describe(routes []route, version string) ([]byte, error) {
	s := &schemas{named: object{}}
	paths := object{}
	for _, rt := range routes {
		path, _ := paths[rt.path].(object)
		if path == nil {
			path = object{}
			paths[rt.path] = path
		}
		path[strings.ToLower(rt.method)] = operation(s, rt)
	}
	s.named["Problem"] = problemSchema()
	s.of(reflect.TypeFor[Ready]()) // the stream's first event
	s.of(reflect.TypeFor[Ended]()) // and its last
	doc, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "HallEdge 中心接口", "version": version,
			"description": "时间一律为带时区的 RFC 3339。出错时返回 application/problem+json（RFC 9457），程序按 code 判断。",
		},
		"paths": paths,
		"components": object{
			"schemas": s.named,
			"securitySchemes": object{
				"session": object{"type": "apiKey", "in": "cookie", "name": "hall_session"},
				"token":   object{"type": "http", "scheme": "bearer"},
			},
		},
		"security": []object{{"session": []string{}}, {"token": []string{}}},
	})
	if err != nil {
		return nil, fmt.Errorf("describe API: %w", err)
	}
	return doc, nil
}

func operation(s *schemas, rt route) object {
	op := object{"operationId": rt.name, "summary": rt.summary}
	var params []object
	for _, segment := range strings.Split(rt.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			params = append(params, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, p := range rt.query {
		params = append(params, p.describe())
	}
	if params != nil {
		op["parameters"] = params
	}
	if rt.body != nil {
		op["requestBody"] = object{"required": true, "content": object{mediaJSON: object{"schema": s.of(reflect.TypeOf(rt.body))}}}
	}
	ok := object{"description": rt.summary}
	if rt.answer != nil {
		ok["content"] = object{rt.media: object{"schema": s.of(reflect.TypeOf(rt.answer))}}
	}
	responses := object{strconv.Itoa(rt.status): ok}
	for _, status := range append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError}, rt.refusals...) {
		responses[strconv.Itoa(status)] = object{
			"description": http.StatusText(status),
			"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
		}
	}
	op["responses"] = responses
	if rt.public {
		op["security"] = []object{}
	}
	return op
}

func (p param) describe() object {
	schema := object{"type": "string"}
	if p.integer {
		schema = object{"type": "integer", "minimum": 0}
	}
	if p.values != nil {
		schema["enum"] = p.values
	}
	return object{"name": p.name, "in": "query", "description": p.about, "required": p.required, "schema": schema}
}

func problemSchema() object {
	text := object{"type": "string"}
	return object{
		"type": "object", "required": []string{"type", "title", "status", "detail", "code"}, "additionalProperties": true,
		"properties": object{
			"type": text, "title": text, "status": object{"type": "integer"}, "detail": text, "code": text, "advice": text,
		},
	}
}

// schemas makes JSON schemas of Go types, structs under their name.
type schemas struct{ named object }

func (s *schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
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
