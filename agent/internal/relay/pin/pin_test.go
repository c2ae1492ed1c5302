package pin

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	card  = "c0:56:e3:01:02:03"
	card2 = "c0:56:e3:0a:0b:0c"
	key   = "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953"
	key2  = "aa78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953"
)

func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		known, seen Machine
		want        Verdict
	}{
		"never seen":                {Machine{}, Machine{MAC: card}, First},
		"the same card":             {Machine{MAC: card}, Machine{MAC: card}, Same},
		"another card":              {Machine{MAC: card}, Machine{MAC: card2}, Changed},
		"another card, same words":  {Machine{MAC: card, Says: "a"}, Machine{MAC: card2, Says: "a"}, Changed},
		"new program":               {Machine{MAC: card, Says: "a"}, Machine{MAC: card, Says: "b"}, Same},
		"behind a router":           {Machine{MAC: card, Says: "a"}, Machine{Says: "a"}, Same},
		"behind a router, silent":   {Machine{MAC: card}, Machine{}, Same},
		"behind one, other words":   {Machine{MAC: card, Says: "a"}, Machine{Says: "b"}, Unlike},
		"the same key":              {Machine{Key: key}, Machine{Key: key, Says: "b"}, Same},
		"another key":               {Machine{Key: key, MAC: card}, Machine{Key: key2, MAC: card}, Changed},
		"the same key, a new card":  {Machine{Key: key, MAC: card}, Machine{Key: key, MAC: card2}, Same},
		"a key for the first time":  {Machine{MAC: card}, Machine{Key: key, MAC: card}, Same},
		"no TLS any more, its card": {Machine{Key: key, MAC: card}, Machine{MAC: card}, Same},
		"no TLS any more, another":  {Machine{Key: key, MAC: card}, Machine{MAC: card2}, Changed},
	} {
		if got := Judge(tt.known, tt.seen); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestWhatIsWrittenByHandGoesBeforeWhatWasLearnt(t *testing.T) {
	for name, tt := range map[string]struct{ learnt, written, want Machine }{
		"nothing written":      {Machine{MAC: card, Key: key}, Machine{}, Machine{MAC: card, Key: key}},
		"nothing learnt":       {Machine{}, Machine{MAC: card}, Machine{MAC: card}},
		"written as learnt":    {Machine{MAC: card, Key: key}, Machine{MAC: card}, Machine{MAC: card, Key: key}},
		"another camera":       {Machine{MAC: card, Key: key}, Machine{MAC: card2}, Machine{MAC: card2}},
		"another key":          {Machine{MAC: card, Key: key}, Machine{Key: key2}, Machine{Key: key2}},
		"one of them is wrong": {Machine{MAC: card, Key: key}, Machine{MAC: card, Key: key2}, Machine{MAC: card, Key: key2}},
	} {
		if got := Known(tt.learnt, tt.written); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestLearn(t *testing.T) {
	for name, tt := range map[string]struct{ known, seen, written, want Machine }{
		"for the first time": {Machine{}, Machine{MAC: card, Says: "a"}, Machine{}, Machine{MAC: card, Says: "a"}},
		"more of it":         {Machine{MAC: card}, Machine{MAC: card, Key: key}, Machine{}, Machine{MAC: card, Key: key}},
		"less of it":         {Machine{MAC: card, Key: key, Says: "a"}, Machine{Key: key}, Machine{}, Machine{MAC: card, Key: key, Says: "a"}},
		"a new card":         {Machine{MAC: card, Key: key}, Machine{MAC: card2, Key: key}, Machine{}, Machine{MAC: card2, Key: key}},
		"its card by hand":   {Machine{MAC: card, Key: key}, Machine{MAC: card2, Key: key}, Machine{MAC: card}, Machine{MAC: card, Key: key}},
	} {
		if got := Learn(tt.known, tt.seen, tt.written); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestWhatACameraSaysCanBeRead(t *testing.T) {
	if got := Said(" Rtsp Server/3.0\x1b[2J", "", "Login to \u202eABC"); got != "Rtsp Server/3.0[2J · Login to ABC" {
		t.Errorf("%q", got)
	}
	if got := Said(strings.Repeat("门", 5000), "x"); utf8.RuneCountInString(got) != maxSaid {
		t.Errorf("%d characters are kept", utf8.RuneCountInString(got))
	}
}
