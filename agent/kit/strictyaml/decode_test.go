package strictyaml_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/strictyaml"
)

// colour refuses everything but two words, one of the refusals with a code of its own.
type colour string

func (c *colour) UnmarshalText(b []byte) error {
	switch string(b) {
	case "red", "green":
		*c = colour(b)
		return nil
	case "blue":
		return &strictyaml.ValueError{Code: "no_blue", Args: map[string]string{"want": "red"}}
	}
	return errors.New("no colour")
}

type shelf struct {
	Name   string            `yaml:"name"`
	Count  int               `yaml:"count"`
	Small  uint8             `yaml:"small"`
	Share  float64           `yaml:"share"`
	On     bool              `yaml:"on"`
	Wait   time.Duration     `yaml:"wait"`
	Colour colour            `yaml:"colour"`
	Extra  map[string]string `yaml:"extra"`
	Boxes  []box             `yaml:"boxes"`
	Best   *box              `yaml:"best"`
	Tags   []string          `yaml:"tags"`
	Hidden string
}

type box struct {
	ID   string `yaml:"id"`
	Size int    `yaml:"size"`
}

func TestDecodeFillsEveryKind(t *testing.T) {
	got := shelf{Name: "default", Count: 7}
	d := strictyaml.Decode("s.yaml", []byte(`# 注释
name: 440900000000001   # a code needs no quotes
count:                  # null keeps the default
small: 0xff
share: 0.5
on: true
wait: 1.5s
colour: red
extra: {baud: 9600, "中": x}
boxes:
  - id: 001
    size: -3
  - {id: b}
best:
  id: |
    two
    lines
tags: [a, 2]
`), &got)
	if err := d.Problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := shelf{
		Name: "440900000000001", Count: 7, Small: 255, Share: 0.5, On: true, Wait: 1500 * time.Millisecond, Colour: "red",
		Extra: map[string]string{"baud": "9600", "中": "x"},
		Boxes: []box{{ID: "001", Size: -3}, {ID: "b"}},
		Best:  &box{ID: "two\nlines\n"},
		Tags:  []string{"a", "2"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// finding is a problem as "line:col code k=v …".
func finding(p strictyaml.Problem) string {
	s := fmt.Sprintf("%d:%d %s", p.Line, p.Col, p.Code)
	for _, k := range slices.Sorted(maps.Keys(p.Args)) {
		s += " " + k + "=" + p.Args[k]
	}
	return s
}

func findings(d *strictyaml.Document) []string {
	var out []string
	for _, p := range d.Problems {
		out = append(out, finding(p))
	}
	return out
}

func TestDecodeReportsEverythingAtOnce(t *testing.T) {
	var got shelf
	d := strictyaml.Decode("s.yaml", []byte(`nmae: x
name: [a]
name: again
count: 1.5
small: 256
on: yes
wait: soon
colour: blue
boxes:
  - id: {a: b}
    sise: 3
  - 中文
best: *anchor
tags: x
share: nearly
extra: [1]
Hidden: x
`), &got)
	want := []string{
		"1:1 config_unknown_key allowed=name, count, small, share, on, wait, colour, extra, boxes, best, tags key=nmae",
		"2:7 config_want_text",
		"3:1 config_duplicate_key key=name line=2",
		"4:8 config_want_integer",
		"5:8 config_out_of_range high=255 low=0 value=256",
		"6:5 config_want_bool",
		"7:7 config_want_duration",
		"8:9 no_blue want=red",
		"10:9 config_want_text",
		"11:5 config_unknown_key allowed=id, size key=sise",
		"12:5 config_want_mapping",
		"13:7 config_feature feature=*",
		"14:7 config_want_list",
		"15:8 config_want_number",
		"16:8 config_want_mapping",
		"17:1 config_unknown_key allowed=name, count, small, share, on, wait, colour, extra, boxes, best, tags key=Hidden",
	}
	if f := findings(d); !slices.Equal(f, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(f, "\n"), strings.Join(want, "\n"))
	}
}

func TestDecodeRefusesWholeFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"syntax":        {"name: 'x", "1:7 config_syntax reason=could not find end character of single-quoted text"},
		"two documents": {"name: a\n---\nname: b\n", "3:1 config_one_document"},
		"list":          {"- a\n", "1:1 config_want_mapping"},
		"text":          {"hello", "1:1 config_want_mapping"},
		"merge":         {"<<: {name: a}\n", "1:1 config_feature feature=<<"},
		"tag":           {"name: !!str 5\n", "1:7 config_feature feature=!!str"},
		"brackets":      {strings.Repeat("[", 40), "1:33 config_too_deep limit=32"},
		"blocks":        {strings.Repeat("- ", 40), "1:81 config_too_deep limit=32"},
		"indent":        {"a:\n" + strings.Repeat(" ", 70) + "b: c", "2:71 config_too_deep limit=32"},
		"too large":     {strings.Repeat("#", strictyaml.MaxBytes+1), "1:1 config_too_large"},
		"too many":      {strings.Repeat("a: b\n", 20_000), "1:1 config_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			var got shelf
			if f := findings(strictyaml.Decode("s.yaml", []byte(c.text), &got)); !slices.Equal(f, []string{c.want}) {
				t.Errorf("got %q, want %q", f, c.want)
			}
		})
	}
}

func TestDecodeTakesEmptyFilesAndWindowsLineEnds(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "\ufeffname: a\r\ncount: 2\r\n"} {
		var got shelf
		if err := strictyaml.Decode("s.yaml", []byte(text), &got).Problems.Err(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDecodeStopsAtAHundredProblems(t *testing.T) {
	var got shelf
	d := strictyaml.Decode("s.yaml", []byte(strings.Repeat("nmae: x\n", 300)), &got)
	if len(d.Problems) != 100 {
		t.Errorf("%d problems", len(d.Problems))
	}
}

func TestAtFindsThePlaceOrItsParent(t *testing.T) {
	var got shelf
	d := strictyaml.Decode("s.yaml", []byte("name: a\nboxes:\n  - id: x\n    size: 2\n  - id: y\n"), &got)
	d.At("$.boxes[1].size", "missing", nil)
	d.At("$.boxes[0].size", "wrong", nil)
	d.At("$.tags[3]", "none", nil)
	d.At("$.name", "short", nil)
	want := []string{"1:7 short", "1:1 none", "4:11 wrong", "5:5 missing"}
	slices.Sort(want)
	f := findings(d)
	if !slices.IsSorted(f) || !slices.Equal(f, want) {
		t.Errorf("got %q, want %q", f, want)
	}
	if !d.Has("$.boxes[0].size") || d.Has("$.boxes[1].size") {
		t.Error("Has does not tell what the file sets")
	}
}

func TestWarningsAreNoError(t *testing.T) {
	var got shelf
	d := strictyaml.Decode("s.yaml", []byte("name: a\n"), &got)
	d.Warn("$.name", "short", nil)
	if len(d.Problems) != 1 || !d.Problems[0].Warning || d.Problems.Err() != nil {
		t.Errorf("%+v, error %v", d.Problems, d.Problems.Err())
	}
	d.At("$.count", "missing", nil)
	if d.Problems.Err() == nil || d.Problems[0].Warning {
		t.Errorf("%+v", d.Problems)
	}
}

func TestExcerptPointsAndMasks(t *testing.T) {
	var got shelf
	d := strictyaml.Decode("s.yaml", []byte(
		"extra: {姓名: x, 名: [y]}\n"+
			"password: hunter2\n"+
			"urls: rtsp://admin:hunter2@10.0.0.1/1\n"+
			"pin_secret: file:secrets/a\n"+
			"printer: plain\n"), &got)
	var b strings.Builder
	if err := d.Problems.Print(&b, func(code string, args map[string]string) string { return "〈" + code + "〉" }); err != nil {
		t.Fatal(err)
	}
	want := `s.yaml:1:19: 〈config_want_text〉
   1 | extra: {姓名: x, 名: [y]}
     |         　　     　  ^
s.yaml:2:1: 〈config_unknown_key〉
   2 | password: ***
     | ^
s.yaml:3:1: 〈config_unknown_key〉
   3 | urls: rtsp://***@10.0.0.1/1
     | ^
s.yaml:4:1: 〈config_unknown_key〉
   4 | pin_secret: file:secrets/a
     | ^
s.yaml:5:1: 〈config_unknown_key〉
   5 | printer: plain
     | ^
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if strings.Contains(d.Problems.Error(), "hunter2") {
		t.Error("the error text shows a password")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\nboxes:\n  - {id: x, size: 2}\nextra: {a: b}\n"))
	f.Add([]byte("? a\n: b\n---\n- *x\n"))
	f.Add([]byte("a: &x [1, 2]\nb: !!int 3\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got shelf
		d := strictyaml.Decode("f.yaml", data, &got)
		d.At("$.boxes[0].id", "late", nil)
		for _, p := range d.Problems {
			if p.Line < 1 || p.Col < 1 || p.Code == "" {
				t.Fatalf("problem without a place: %+v", p)
			}
		}
	})
}
