package hotkey_test

import (
	"testing"

	"halledge/agent/internal/caller/hotkey"
)

func TestChordsAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"ctrl+alt+f2": "Ctrl+Alt+F2", "Shift + Ctrl + a": "Ctrl+Shift+A", "win+Num0": "Win+Num0", "pause": "Pause", "F12": "F12", "Ctrl+7": "Ctrl+7",
		"pagedown": "PageDown",
	} {
		c, err := hotkey.Parse(text)
		if err != nil || c.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, c, err, want)
		}
	}
	for _, text := range []string{"", "+", "Ctrl", "Ctrl+", "Ctrl+Ctrl+F1", "F0", "F13", "A", "Shift+5", "Num5", "Shift+Num5", "Hyper+F1", "Ctrl+Ä", "Ctrl+F2+Alt"} {
		if c, err := hotkey.Parse(text); err == nil {
			t.Errorf("%q is read as %v", text, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"Ctrl+Alt+F2", "a+b+c", "", "Win+Num9", "+++"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := hotkey.Parse(text)
		if err != nil {
			return
		}
		if again, err := hotkey.Parse(c.String()); err != nil || again != c {
			t.Errorf("%q is %v, which is read as %v, %v", text, c, again, err)
		}
	})
}
