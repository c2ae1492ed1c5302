package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"halledge/agent/kit/problem"
)

// Bounds of texts that people write, in characters.
const (
	maxReason       = 200
	maxRatingText   = 500
	maxReasons      = 10
	maxRatingChoice = 50
)

// decode reads a JSON object into a struct. An empty body is an empty object; a member the struct does not have is refused,
// because a misspelt member would silently mean something else.
func (a *API) decode(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if field := unknownMember(body, reflect.TypeOf(into).Elem(), ""); field != "" {
		return a.bad(fieldUnknown, "field", field)
	}
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return a.bad(fieldType, "field", kind.Field)
	case errors.As(err, &syntax):
		return a.bad(jsonSyntax, "offset", strconv.FormatInt(syntax.Offset, 10))
	}
	return a.bad(jsonSyntax, "offset", "1")
}

// unknownMember gives the first member of an object, by name, that the struct type has no field for. What is not an object is
// left to the decoder.
func unknownMember(raw []byte, t reflect.Type, path string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f, ok := t.FieldByNameFunc(func(field string) bool {
			f, _ := t.FieldByName(field)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return tag == name
		})
		if !ok {
			return path + name
		}
		if f.Type.Kind() == reflect.Struct {
			if inner := unknownMember(members[name], f.Type, path+name+"."); inner != "" {
				return inner
			}
		}
	}
	return ""
}

// bad is a 400 with one argument, which may be the client's own text.
func (a *API) bad(code problem.Code, arg, value string) problem.Problem {
	value = echo(value)
	return a.opts.Catalog.Problem(http.StatusBadRequest, code, map[string]string{arg: value}).With(arg, value)
}

// maxEcho bounds how much of a client's text an answer repeats, in characters.
const maxEcho = 64

// echo gives the client's own text as an answer may repeat it.
func echo(s string) string {
	plain := []rune(problem.Plain(s))
	return string(plain[:min(len(plain), maxEcho)])
}

// isHidden reports whether a character works on others and is not seen itself: a control other than line breaks and tabs, or a
// mark that turns the direction of the writing. The joiner inside an emoji is none of them.
func isHidden(r rune) bool {
	return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) || unicode.Is(unicode.Bidi_Control, r)
}

// text refuses a text that people did not write: longer than it may be, or with hidden characters. Facts are kept for ever and
// go to other systems; a database or a device may choke on what a page shows as nothing.
func (a *API) text(field, text string, limit int) error {
	if strings.ContainsFunc(text, isHidden) {
		return a.bad(fieldCharacters, "field", field)
	}
	if utf8.RuneCountInString(text) <= limit {
		return nil
	}
	return a.opts.Catalog.Problem(http.StatusBadRequest, fieldTooLong, map[string]string{"field": field, "limit": strconv.Itoa(limit)}).
		With("field", field)
}
