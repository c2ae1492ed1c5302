// Package strictyaml gives a YAML decoder for configuration files that people write by hand: unknown keys, duplicate keys
// and wrong types are errors, all of them are reported at once, and each says file, line and column and shows the line.
//
// The parser is goccy/go-yaml. Its decoder into structs stops at the first fault, therefore this package walks the parsed
// tree against the Go type itself. Fields need a yaml tag; a null value leaves the field as it was, so defaults may be set
// before decoding. Anchors, aliases, merge keys and tags are refused: a site file has no use for them, and without them a
// file cannot grow while it is read.
package strictyaml

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file: ten times what the largest hall needs. The parser's time grows with the square of a mapping's size;
// within these bounds the worst of files takes half a second.
const (
	MaxBytes  = 256 << 10
	maxTokens = 40_000
)

// maxProblems bounds the list; whoever has a hundred findings has the wrong file.
const maxProblems = 100

// maxDepth bounds nesting, because the parser is recursive and its time grows with the square of the depth.
const maxDepth = 32

// Document is a decoded file. It keeps the positions, so that later checks can point into the file too.
type Document struct {
	File     string
	Problems Problems

	lines  []string
	places map[string]place
	broken []string // paths whose values could not be read
}

type place struct{ line, col int }

// Decode reads data into the value into points to. The file name is used in problems only. The value holds everything that
// could be read, even when there are problems.
func Decode(file string, data []byte, into any) *Document {
	d := &Document{File: file, places: map[string]place{}}
	if len(data) > MaxBytes {
		d.add("$", place{1, 1}, TooLarge, nil)
		d.GiveUp()
		return d
	}
	text := strings.TrimPrefix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\ufeff")
	d.lines = strings.Split(text, "\n")
	if at, deep := tooDeep(d.lines); deep {
		d.add("$", at, TooDeep, map[string]string{"limit": strconv.Itoa(maxDepth)})
		d.GiveUp()
		return d
	}
	tokens := lexer.Tokenize(text)
	if len(tokens) > maxTokens {
		d.add("$", place{1, 1}, TooLarge, nil)
		d.GiveUp()
		return d
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		d.GiveUp()
		return d
	}
	d.walk(tree, reflect.ValueOf(into).Elem())
	d.sort()
	for _, p := range d.Problems {
		if p.Code != UnknownKey {
			d.broken = append(d.broken, p.Path)
		}
	}
	return d
}

// GiveUp says that nothing more can be found out about the file: At and Warn do nothing from here on.
func (d *Document) GiveUp() { d.broken = append(d.broken, "$") }

// unread reports whether the value at a path, or one around or inside it, could not be read. A check of values there would
// complain about what is only a consequence.
func (d *Document) unread(path string) bool {
	inside := func(path, outer string) bool {
		rest, found := strings.CutPrefix(path, outer)
		return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	return slices.ContainsFunc(d.broken, func(b string) bool { return inside(path, b) || inside(b, path) })
}

func (d *Document) walk(f *ast.File, into reflect.Value) {
	d.places["$"] = place{1, 1}
	first := true
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if _, only := doc.Body.(*ast.CommentGroupNode); only {
			continue
		}
		if !first {
			d.add("$", start(doc.Body), OneDocument, nil)
			return
		}
		first = false
		d.decode("$", doc.Body, into)
	}
}

func (d *Document) syntax(err error) {
	where, reason := place{1, 1}, err.Error()
	var y yaml.Error
	if errors.As(err, &y) {
		reason = y.GetMessage()
		if tk := y.GetToken(); tk != nil {
			where = at(tk)
		}
	}
	d.add("$", where, Syntax, map[string]string{"reason": reason})
}

// At adds a problem at a path such as $.devices[1].name. A path that is not in the file is placed at its nearest parent
// that is; then the excerpt shows where the missing thing belongs. A path whose value could not be read has its problem already.
func (d *Document) At(path string, code Code, args map[string]string) {
	if d.unread(path) {
		return
	}
	d.add(path, d.nearest(path), code, args)
	d.sort()
}

// Warn adds a warning in the same way.
func (d *Document) Warn(path string, code Code, args map[string]string) {
	if d.unread(path) {
		return
	}
	before := len(d.Problems)
	d.add(path, d.nearest(path), code, args)
	for i := range d.Problems[before:] {
		d.Problems[before+i].Warning = true
	}
	d.sort()
}

func (d *Document) nearest(path string) place {
	for {
		if p, ok := d.places[path]; ok {
			return p
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
		if path == "" {
			return place{1, 1}
		}
	}
}

// Has reports whether the file itself sets the path; $ is there when the file is YAML at all.
func (d *Document) Has(path string) bool {
	_, ok := d.places[path]
	return ok
}

func (d *Document) add(path string, p place, code Code, args map[string]string) {
	if len(d.Problems) >= maxProblems {
		return
	}
	d.Problems = append(d.Problems, Problem{
		File: d.File, Line: p.line, Col: p.col, Path: path, Code: code, Args: args, Excerpt: excerpt(d.lines, p),
	})
}

func (d *Document) sort() {
	slices.SortStableFunc(d.Problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
}

func at(tk *token.Token) place {
	return place{line: max(tk.Position.Line, 1), col: max(tk.Position.Column, 1)}
}

// tooDeep finds the first place that nests deeper than maxDepth: by open brackets, or by the indent and the dashes before the
// first word of a line (each level of a block needs at least one more column). Brackets inside strings count too: a file
// with 32 unclosed ones in its texts is refused, which no hall has.
func tooDeep(lines []string) (place, bool) {
	depth := 0
	for i, line := range lines {
		if lead := len(line) - len(strings.TrimLeft(line, " -?:\t")); lead > 2*maxDepth {
			return place{i + 1, lead + 1}, true
		}
		col := 0
		for _, r := range line {
			col++
			switch r {
			case '[', '{':
				if depth++; depth > maxDepth {
					return place{i + 1, col}, true
				}
			case ']', '}':
				depth = max(depth-1, 0)
			}
		}
	}
	return place{}, false
}
