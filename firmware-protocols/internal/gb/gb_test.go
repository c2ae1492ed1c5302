package gb

import "testing"

func TestGB2312Has7445Characters(t *testing.T) {
	n := 0
	for r := rune(0x80); r <= 0x10FFFF; r++ {
		b := GB2312.AppendRune(nil, r)
		switch {
		case len(b) == 2:
			n++
			if b[0] < 0xA1 || b[1] < 0xA1 {
				t.Fatalf("%U has the byte of an ASCII character: % X", r, b)
			}
			if got := GB2312.Decode(b); got != string(r) {
				t.Fatalf("%U comes back as %q", r, got)
			}
		case string(b) != "?":
			t.Fatalf("%U becomes % X", r, b)
		}
	}
	if n != 7445 {
		t.Errorf("%d characters", n)
	}
}

func TestSets(t *testing.T) {
	for _, c := range []struct {
		set      Set
		in, want string
	}{
		{GB2312, "A001号\t镕\x7f", "A001号 ? "}, {GBK, "镕𠮷", "镕?"}, {UTF8, "镕𠮷\n\u0085", "镕𠮷  "}, {GBK, "\ue000", "?"}, {UTF8, "\xff", "\uFFFD"},
	} {
		if got := c.set.Decode(c.set.Append(nil, c.in)); got != c.want {
			t.Errorf("%s: %q comes back as %q, want %q", c.set, c.in, got, c.want)
		}
	}
}
