package strictyaml

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Code is the stable name of a finding. Its sentence for people stands in the messages file under the same name.
type Code string

// The findings of Decode itself. Arguments of the sentences are named in the comments.
const (
	Syntax       Code = "config_syntax" // not YAML: reason
	TooLarge     Code = "config_too_large"
	TooDeep      Code = "config_too_deep"      // limit
	OneDocument  Code = "config_one_document"  // a second document begins here
	UnknownKey   Code = "config_unknown_key"   // key, allowed
	DuplicateKey Code = "config_duplicate_key" // key, line of the first one
	OutOfRange   Code = "config_out_of_range"  // value, low, high
	BadValue     Code = "config_bad_value"     // reason: the field's own type refused it
	Feature      Code = "config_feature"       // feature: anchors, aliases, merge keys and tags are not used here
	WantMapping  Code = "config_want_mapping"
	WantList     Code = "config_want_list"
	WantText     Code = "config_want_text"
	WantBool     Code = "config_want_bool"
	WantNumber   Code = "config_want_number"
	WantInteger  Code = "config_want_integer"
	WantDuration Code = "config_want_duration"
)

// Findings that every check of values has use for.
const (
	Missing    Code = "config_missing"     // key
	TooLong    Code = "config_too_long"    // limit, in characters
	NotAllowed Code = "config_not_allowed" // value, allowed
	Twice      Code = "config_twice"       // value
)

// ValueError lets the UnmarshalText of a field's type choose the code of its refusal; other errors become BadValue.
type ValueError struct {
	Code Code
	Args map[string]string
}

func (e *ValueError) Error() string { return fmt.Sprintf("%s %v", e.Code, e.Args) }

// Problem is one finding. Line and Col count from 1, Col in characters. Excerpt is the line with a caret under the place;
// values that look like secrets are masked in it. A warning is worth saying and stops nothing.
type Problem struct {
	File    string            `json:"file"`
	Line    int               `json:"line"`
	Col     int               `json:"col"`
	Path    string            `json:"path"` // $.devices[1].name
	Code    Code              `json:"code"`
	Warning bool              `json:"warning,omitempty"`
	Args    map[string]string `json:"args,omitempty"`
	Excerpt string            `json:"excerpt,omitempty"`
}

// Where gives file:line:col, in the form editors understand.
func (p Problem) Where() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// Problems are the findings of one or more files, in the order of the files and lines. As an error it is for logs; people
// read Print.
type Problems []Problem

// Err gives the problems as an error, nil if there are none or only warnings.
func (ps Problems) Err() error {
	if !slices.ContainsFunc(ps, func(p Problem) bool { return !p.Warning }) {
		return nil
	}
	return ps
}

func (ps Problems) Error() string {
	texts := make([]string, 0, len(ps))
	for _, p := range ps {
		texts = append(texts, p.line())
	}
	return strings.Join(texts, "; ")
}

func (p Problem) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Where(), p.Code)
	for _, k := range slices.Sorted(maps.Keys(p.Args)) {
		fmt.Fprintf(&b, " %s=%q", k, p.Args[k])
	}
	return b.String()
}

// Print writes each problem as position and sentence, followed by its excerpt. say turns a code into a sentence; it is the
// messages catalogue's Say.
func (ps Problems) Print(w io.Writer, say func(code string, args map[string]string) string) error {
	for _, p := range ps {
		if _, err := fmt.Fprintf(w, "%s: %s\n%s", p.Where(), say(string(p.Code), p.Args), p.Excerpt); err != nil {
			return fmt.Errorf("print problems: %w", err)
		}
	}
	return nil
}
