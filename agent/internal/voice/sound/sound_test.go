package sound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// beep is a clip of n samples that all have one value, so that a joined sentence can be read back.
func beep(value int16, n int) Clip {
	return Clip{Rate: 8000, Samples: slices.Repeat([]int16{value}, n)}
}

// packOf writes a pack.
func packOf(t testing.TB, m map[string]any, clips map[string]Clip) fs.FS {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"pack.json": {Data: raw}}
	for name, c := range clips {
		files[name] = &fstest.MapFile{Data: c.WAV()}
	}
	return files
}

func TestWAVGoesThereAndBack(t *testing.T) {
	c := Clip{Rate: 16000, Samples: []int16{0, 1, -1, 32767, -32768}}
	back, err := ParseWAV(c.WAV())
	if err != nil || back.Rate != c.Rate || !slices.Equal(back.Samples, c.Samples) {
		t.Errorf("%+v, %v", back, err)
	}
	if d := beep(1, 4000).Duration(); d != 500*time.Millisecond {
		t.Errorf("it takes %v", d)
	}
}

func TestWAVAsOthersWriteIt(t *testing.T) {
	good := beep(7, 3).WAV()
	unknown := bytes.Clone(good)
	copy(unknown[40:], []byte{0xFF, 0xFF, 0xFF, 0x7F}) // espeak-ng writes so into a pipe
	listed := slices.Concat(good[:36], []byte("LIST\x03\x00\x00\x00abc\x00"), good[36:])
	for name, b := range map[string][]byte{"unknown length": unknown, "a chunk between": listed} {
		if c, err := ParseWAV(b); err != nil || !slices.Equal(c.Samples, []int16{7, 7, 7}) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	stereo, slow := bytes.Clone(good), bytes.Clone(good)
	stereo[22], slow[24], slow[25] = 2, 1, 0
	for name, b := range map[string][]byte{
		"empty": nil, "no RIFF": []byte("OggS00000000"), "stereo": stereo, "1 Hz": slow, "no data": good[:36], "data first": slices.Concat(good[:12], good[36:]),
	} {
		if c, err := ParseWAV(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestSentencesAreJoinedFromTheLongestClips(t *testing.T) {
	fsys := packOf(t, map[string]any{
		"language": "zh-CN", "chime": "ding.wav", "gap_ms": 1, "rest_ms": 2,
		"clips": map[string]string{"请": "a.wav", "A": "b.wav", "零": "c.wav", "号": "d.wav", "号窗口": "e.wav"},
	}, map[string]Clip{"ding.wav": beep(9, 1), "a.wav": beep(1, 1), "b.wav": beep(2, 1), "c.wav": beep(3, 1), "d.wav": beep(4, 1), "e.wav": beep(5, 1)})
	p, err := LoadPack(fsys)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Say("请 A零号，零号窗口")
	if err != nil {
		t.Fatal(err)
	}
	var order []int16
	silent := 0
	for _, s := range c.Samples {
		if s != 0 {
			order = append(order, s)
		} else {
			silent++
		}
	}
	if !slices.Equal(order, []int16{9, 1, 2, 3, 4, 3, 5}) || silent != 6*8+16 || p.Language != "zh-CN" {
		t.Errorf("joined %v with %d silent samples", order, silent)
	}
	var unknown *UnknownError
	if _, err := p.Say("请A一号"); !errors.As(err, &unknown) || unknown.Text != "一号" {
		t.Errorf("got %v", err)
	}
	if _, err := p.Say(strings.Repeat("请", maxSaid+1)); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}

func TestPacksThatCannotBeUsed(t *testing.T) {
	one := map[string]string{"请": "a.wav"}
	clip := map[string]Clip{"a.wav": beep(1, 1), "fast.wav": {Rate: 16000, Samples: []int16{1}}}
	for name, m := range map[string]map[string]any{
		"no clips":      {"language": "zh-CN"},
		"no language":   {"clips": one},
		"unknown key":   {"language": "zh-CN", "clips": one, "speed": 2},
		"missing file":  {"language": "zh-CN", "clips": map[string]string{"请": "b.wav"}},
		"outside":       {"language": "zh-CN", "clips": map[string]string{"请": "../a.wav"}},
		"other rate":    {"language": "zh-CN", "clips": map[string]string{"请": "a.wav", "到": "fast.wav"}},
		"empty phrase":  {"language": "zh-CN", "clips": map[string]string{"": "a.wav"}},
		"missing chime": {"language": "zh-CN", "clips": one, "chime": "ding.wav"},
		"endless gap":   {"language": "zh-CN", "clips": one, "gap_ms": 1e6},
	} {
		if p, err := LoadPack(packOf(t, m, clip)); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, err := LoadPack(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no manifest: %v", err)
	}
}

// program writes a shell script that stands for espeak-ng.
func program(t *testing.T, body string) Espeak {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "said.wav"), beep(3, 5).WAV(), 0o600); err != nil {
		t.Fatal(err)
	}
	e := Espeak{Path: filepath.Join(dir, "espeak-ng")}
	if err := os.WriteFile(e.Path, []byte(fmt.Sprintf("#!/bin/sh\ncd %s\n%s\n", dir, body)), 0o755); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEspeakIsAsked(t *testing.T) {
	e := program(t, `echo "$@" > args; cat > text; cat said.wav`)
	for language, voice := range map[string]string{"zh-CN": "cmn", "zh-yue": "yue"} {
		c, err := e.Say(t.Context(), "请A零零一号 -v en", language, 80)
		if err != nil || !slices.Equal(c.Samples, beep(3, 5).Samples) {
			t.Fatalf("%+v, %v", c, err)
		}
		args, aerr := os.ReadFile(filepath.Join(filepath.Dir(e.Path), "args"))
		text, terr := os.ReadFile(filepath.Join(filepath.Dir(e.Path), "text"))
		if want := "-v " + voice + " -s 120 -b 1 --stdin --stdout\n"; aerr != nil || terr != nil || string(args) != want || string(text) != "请A零零一号 -v en" {
			t.Errorf("asked %q for %q, %v %v", args, text, aerr, terr)
		}
	}
}

func TestEspeakThatFailsSaysWhy(t *testing.T) {
	if _, err := program(t, `echo "no voice cmn" >&2; exit 1`).Say(t.Context(), "请", "zh-CN", 100); err == nil || !strings.Contains(err.Error(), "no voice cmn") {
		t.Errorf("got %v", err)
	}
	if _, err := program(t, `echo nonsense`).Say(t.Context(), "请", "zh-CN", 100); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseWAV(f *testing.F) {
	f.Add(beep(1, 10).WAV())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseWAV(b)
		if err != nil {
			return
		}
		if back, err := ParseWAV(c.WAV()); err != nil || !slices.Equal(back.Samples, c.Samples) {
			t.Fatalf("%v, %v", back, err)
		}
	})
}
