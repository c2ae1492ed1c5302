package problem

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
)

// Text is what people read for one code. {name} stands for an argument. Staff is what those who work here read instead of detail and
// advice; it may be empty.
type Text struct {
	Title  string `yaml:"title"`
	Detail string `yaml:"detail"`
	Advice string `yaml:"advice"`
	Staff  string `yaml:"staff"`
}

func (t Text) sentences() []string { return []string{t.Title, t.Detail, t.Advice, t.Staff} }

// missing stands in a sentence where an argument was not given.
const missing = "…"

// Catalog knows the texts of all codes. It never changes after it was made.
type Catalog struct{ texts map[string]Text }

// NewCatalog takes the texts by code.
func NewCatalog(texts map[string]Text) *Catalog { return &Catalog{texts: maps.Clone(texts)} }

// ParseCatalog reads a messages file: a mapping from code to title, detail and advice. A code without a title, an unknown
// key and a brace without its partner are errors.
func ParseCatalog(data []byte) (*Catalog, error) {
	var texts map[string]Text
	if err := yaml.UnmarshalWithOptions(data, &texts, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	for code, t := range texts {
		if t.Title == "" {
			return nil, fmt.Errorf("read messages: %s has no title", code)
		}
		for _, s := range t.sentences() {
			if _, err := names(s); err != nil {
				return nil, fmt.Errorf("read messages: %s: %w", code, err)
			}
		}
	}
	return &Catalog{texts: texts}, nil
}

// Codes lists all codes in alphabetical order.
func (c *Catalog) Codes() []string { return slices.Sorted(maps.Keys(c.texts)) }

// Text gives the filled text of a code. A code the catalogue does not know becomes its own title, so that something can
// always be shown; ok is false then.
func (c *Catalog) Text(code string, args map[string]string) (t Text, ok bool) {
	t, ok = c.texts[code]
	if !ok {
		return Text{Title: code, Detail: code}, false
	}
	if t.Detail == "" {
		t.Detail = t.Title
	}
	return Text{Title: fill(t.Title, args), Detail: fill(t.Detail, args), Advice: fill(t.Advice, args), Staff: fill(t.Staff, args)}, true
}

// Say gives the detail sentence of a code, followed by its advice.
func (c *Catalog) Say(code string, args map[string]string) string {
	t, _ := c.Text(code, args)
	return t.Detail + t.Advice
}

// Problem makes the problem document of a code.
func (c *Catalog) Problem(status int, code Code, args map[string]string) Problem {
	t, _ := c.Text(string(code), args)
	return Problem{Status: status, Code: code, Title: t.Title, Detail: t.Detail, Advice: t.Advice, Staff: t.Staff}
}

// Args lists the arguments a code's texts name, in alphabetical order.
func (c *Catalog) Args(code string) []string {
	set := map[string]bool{}
	t := c.texts[code]
	for _, s := range t.sentences() {
		found, _ := names(s) // checked when the catalogue was read
		for _, n := range found {
			set[n] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Plain gives a text as it may stand inside a sentence: each character that nobody sees becomes U+FFFD, white space a space.
// Whoever sent it could otherwise turn the direction of the writing around it, or break a line of a log.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsGraphic(r):
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// fill replaces each {name} by the argument's plain text. What an argument holds is never looked at again.
func fill(s string, args map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		if v, ok := args[name]; ok {
			b.WriteString(Plain(v))
		} else {
			b.WriteString(missing)
		}
		s = after
	}
}

func names(s string) ([]string, error) {
	var found []string
	for {
		before, rest, open := strings.Cut(s, "{")
		if strings.Contains(before, "}") {
			return nil, fmt.Errorf("a } without { in %q", s)
		}
		if !open {
			return found, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.ContainsAny(name, "{ ") {
			return nil, fmt.Errorf("a { without } or name in %q", s)
		}
		found = append(found, name)
		s = after
	}
}
