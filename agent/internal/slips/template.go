// Package slips gives the paper of a ticket: a template, which is data (configs/slips), filled with one ticket's facts and
// turned into a print job. It knows neither printers nor queues.
package slips

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"halledge/agent/kit/strictyaml"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// What Parse finds wrong beyond the shape of the file.
const (
	LineContent strictyaml.Code = "config_slip_line" // a line holds none or several of text, qr, code128, logo, rule and feed
	UnknownName strictyaml.Code = "config_slip_name" // value, allowed: {value} is no content of a slip
)

// Template is a slip without its ticket. It never changes after Parse.
type Template struct {
	name string
	t    template
}

type template struct {
	Columns int               `yaml:"columns"` // that the paper must have, in half-width characters of normal size
	Cut     bool              `yaml:"cut"`
	Beep    bool              `yaml:"beep"`
	Classes map[string]string `yaml:"classes"` // how a class is printed; a class that is missing is not printed
	Lines   []line            `yaml:"lines"`
}

type line struct {
	Text    string `yaml:"text"`
	QR      string `yaml:"qr"`
	Code128 string `yaml:"code128"`
	Logo    bool   `yaml:"logo"`
	Rule    bool   `yaml:"rule"`
	Feed    int    `yaml:"feed"`
	Align   align  `yaml:"align"`
	Size    int    `yaml:"size"`
	Bold    bool   `yaml:"bold"`
	Dot     int    `yaml:"dot"` // size of a QR module in dots
}

type align device.Align

// UnmarshalText reads left, center or right.
func (a *align) UnmarshalText(b []byte) error {
	names := []string{"left", "center", "right"}
	i := slices.Index(names, string(b))
	if i < 0 {
		return &strictyaml.ValueError{Code: strictyaml.NotAllowed,
			Args: map[string]string{"value": string(b), "allowed": strings.Join(names, ", ")}}
	}
	*a = align([]device.Align{device.Left, device.Center, device.Right}[i])
	return nil
}

var placeholder = regexp.MustCompile(`\{(\w*)\}`)

// Load reads the template slips/<name>.yaml.
func Load(fsys fs.FS, name string) (*Template, error) {
	file := "slips/" + name + ".yaml"
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("load slip template: %w", err)
	}
	t, problems := Parse(file, data)
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("load slip template: %w", err)
	}
	return t, nil
}

// Set is the templates of one slip for papers of different widths.
type Set []*Template // widest first

// LoadSet reads every template slips/<kind>-*.yaml, for example all of kind "ticket".
func LoadSet(fsys fs.FS, kind string) (Set, error) {
	files, err := fs.Glob(fsys, "slips/"+kind+"-*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("load slip templates: no slips/%s-*.yaml: %w", kind, errors.Join(err, fs.ErrNotExist))
	}
	var set Set
	for _, file := range files {
		t, err := Load(fsys, strings.TrimSuffix(path.Base(file), ".yaml"))
		if err != nil {
			return nil, err
		}
		set = append(set, t)
	}
	slices.SortFunc(set, func(a, b *Template) int { return b.t.Columns - a.t.Columns })
	return set, nil
}

// For gives the widest template that fits a printer of so many columns, or the narrowest when none does.
func (s Set) For(columns int) *Template {
	for _, t := range s {
		if t.t.Columns <= columns {
			return t
		}
	}
	return s[len(s)-1]
}

// Parse reads a template and checks it. The template is good when the problems hold no error.
func Parse(file string, data []byte) (*Template, strictyaml.Problems) {
	t := template{Columns: 48}
	doc := strictyaml.Decode(file, data, &t)
	if doc.Problems.Err() == nil {
		check(doc, &t)
	}
	return &Template{name: file, t: t}, doc.Problems
}

func check(doc *strictyaml.Document, t *template) {
	between(doc, "$.columns", t.Columns, 16, 96)
	if len(t.Lines) == 0 {
		doc.At("$.lines", strictyaml.Missing, map[string]string{"key": "lines"})
	}
	for class := range t.Classes {
		if !hallsync.Class(class).Valid() {
			doc.At("$.classes."+class, strictyaml.UnknownKey,
				map[string]string{"key": class, "allowed": "normal, appointment, elder, priority"})
		}
	}
	for i, l := range t.Lines {
		path := fmt.Sprintf("$.lines[%d]", i)
		contents := 0
		for _, there := range []bool{l.Text != "", l.QR != "", l.Code128 != "", l.Logo, l.Rule, l.Feed != 0} {
			if there {
				contents++
			}
		}
		if contents != 1 {
			doc.At(path, LineContent, nil)
		}
		between(doc, path+".feed", l.Feed, 0, 20)
		between(doc, path+".size", l.Size, 0, 8)
		between(doc, path+".dot", l.Dot, 0, 16)
		for key, text := range map[string]string{".text": l.Text, ".qr": l.QR, ".code128": l.Code128} {
			for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(contentNames(), m[1]) {
					doc.At(path+key, UnknownName,
						map[string]string{"value": m[1], "allowed": strings.Join(contentNames(), ", ")})
				}
			}
		}
	}
}

func between(doc *strictyaml.Document, path string, value, low, high int) {
	if value < low || value > high {
		doc.At(path, strictyaml.OutOfRange, map[string]string{
			"value": fmt.Sprint(value), "low": fmt.Sprint(low), "high": fmt.Sprint(high)})
	}
}
