package speech

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestThreat11PlainTextHoldsNoTags(t *testing.T) {
	if got := Plain("[v0]3号\n窗口\x00"); got != "(v0)3号 窗口 " {
		t.Errorf("got %q", got)
	}
}

func TestCharactersWithoutACodeBecomeSpaces(t *testing.T) {
	for _, c := range []struct {
		text string
		e    Encoding
		want string
	}{
		{"请A001号", GB2312, "请A001号"}, {"镕", GB2312, " "}, {"镕", GBK, "镕"}, {"😀号", GBK, " 号"}, {"😀號", Unicode, "😀號"},
	} {
		for _, order := range []Order{BigEndian, LittleEndian} {
			if got := Decode(Encode(c.text, c.e, order), c.e, order); got != c.want {
				t.Errorf("%q in encoding %d: %q, want %q", c.text, c.e, got, c.want)
			}
		}
	}
}

func TestLongTextsAreCutAtPauses(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  []string
	}{
		{"", 10, nil},
		{"请一号，请二号", 14, []string{"请一号，请二号"}},
		{"请一号，请二号", 12, []string{"请一号，", "请二号"}},
		{"请一号请二号", 7, []string{"请一号", "请二号"}},
		{"请", 1, nil},
	} {
		if got := Split(c.text, c.limit, GBK); !slices.Equal(got, c.want) {
			t.Errorf("%q at %d: %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func TestTagsAreCutOff(t *testing.T) {
	tags, text := CutTags("[v8][t4]请[A")
	if !slices.Equal(tags, []string{"[v8]", "[t4]"}) || text != "请[A" {
		t.Errorf("%q %q", tags, text)
	}
	if tags, text = CutTags("[v8"); tags != nil || text != "[v8" {
		t.Errorf("%q %q", tags, text)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("请A零零一号，到三号窗口。", 9)
	f.Add("😀😀", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if !utf8.ValidString(s) || limit < 4 || len(s) > 1<<10 {
			return
		}
		for _, e := range []Encoding{GB2312, GBK, Unicode} {
			pieces := Split(s, limit, e)
			for _, p := range pieces {
				if n := len(Encode(p, e, BigEndian)); n > limit || n == 0 {
					t.Fatalf("a piece of %d bytes, limit %d", n, limit)
				}
			}
			if strings.Join(pieces, "") != s {
				t.Fatalf("%q was cut into %q", s, pieces)
			}
		}
	})
}
