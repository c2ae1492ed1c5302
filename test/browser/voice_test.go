package browser_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// moment is a tenth of a second of silence as a WAV file: 8 kHz, 16 bits, one channel.
func moment(t *testing.T) []byte {
	t.Helper()
	head, err := base64.StdEncoding.DecodeString("UklGRmQGAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YUAGAAA=")
	if err != nil {
		t.Fatal(err)
	}
	return append(head, make([]byte, 1600)...)
}

// TestAScreenSaysCalls has a hall of its own, on a machine with a program that speaks.
func TestAScreenSaysCalls(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	script := fmt.Sprintf("#!/bin/sh\ncat >> %s\necho >> %s\ncat %s\n", said, said, filepath.Join(dir, "moment.wav"))
	for name, content := range map[string][]byte{"moment.wav": moment(t), "espeak-ng": []byte(script)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := begin(t, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	p := s.open(t, screenWidth, screenHeight, "/screen/1?voice=zh-CN&token="+s.Agent.Tokens["screen"])
	mute := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("欢迎光临")
	first, second := s.callAt(t, "1", "A"), s.callAt(t, "2", "A")
	p.Sees("请" + second.Number + "号到2号窗口办理")
	demo.Until(t, demo.Patience, "both calls to be played", func() error {
		if got := played(p); !slices.Equal(got, []string{"/api/v1/voice/1", "/api/v1/voice/2"}) {
			return fmt.Errorf("the page played %q", got)
		}
		return nil
	})
	mute.Sees("请" + second.Number + "号到2号窗口办理")
	p.Sees("本屏暂时没有声音", "请点一下屏幕") // the browser lets no page speak that nobody has touched
	s.shot(t, p, "screen-silent")
	p.Press(chrome.Tab)
	p.Misses("本屏暂时没有声音")
	s.Verb(t, "1", "recall", nil)
	demo.Until(t, demo.Patience, "the recall to be played", func() error {
		if got := played(p); len(got) != 3 {
			return fmt.Errorf("the page played %q", got)
		}
		return nil
	})
	p.Misses("本屏暂时没有声音")
	if got := played(mute); len(got) > 0 {
		t.Errorf("a page that was not asked to played %q", got)
	}
	raw, err := os.ReadFile(said)
	want := []string{"请A零零一号，到一号窗口", "请A零零二号，到二号窗口"}
	if got := strings.Fields(string(raw)); err != nil || first.Number != "A001" || !slices.Equal(got, want) {
		t.Errorf("made %q, want %q, %v", got, want, err)
	}
	s.readOut(t, said)
}

// played are the sounds that a page has fetched, in order.
func played(p *chrome.Page) []string {
	return chrome.Eval[[]string](p, `performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname).filter((path) => path.startsWith('/api/v1/voice/'))`)
}
