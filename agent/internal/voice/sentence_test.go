package voice

import (
	"testing"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

func TestSentences(t *testing.T) {
	s := queue.New(&queue.Plan{Windows: []queue.WindowPlan{{ID: "1", Name: "1号窗口"}, {ID: "12", Name: "12号综合窗口"}, {ID: "3"}}})
	for _, c := range []struct {
		number string
		window hallsync.WindowID
		want   Sentence
	}{
		{"A001", "1", Sentence{"请A零零一号，到一号窗口", "请A零零一号，到一号窗口"}},
		{"A1000", "12", Sentence{"请A一零零零号，到十二号综合窗口", "请A一零零零号，到十二号窗口"}},
		{"b027", "3", Sentence{"请B零二七号，到三号窗口", "请B零二七号，到三号窗口"}},
		{"C110", "B2", Sentence{"请C一一零号，到B二号窗口", "请C一一零号，到B二号窗口"}},
	} {
		if got := SentenceOf(s, c.number, c.window); got != c.want {
			t.Errorf("%s to %s: %+v, want %+v", c.number, c.window, got, c.want)
		}
	}
}

func TestNumbersAreReadAsPeopleDo(t *testing.T) {
	for text, want := range map[string]string{
		"3号窗口": "三号窗口", "10": "十", "12": "十二", "20": "二十", "21": "二十一", "100": "一百", "105": "一百零五", "110": "一百一十",
		"112": "一百一十二", "1001": "一千零一", "2010": "二千零一十", "12345": "一二三四五", "007": "零零七", "二楼2区\n": "二楼二区",
	} {
		if got := read(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
