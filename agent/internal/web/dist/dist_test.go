package dist_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"halledge/agent/internal/web/dist"
	"halledge/agent/internal/web/ui"
)

func TestTheBuildIsOfTheseSources(t *testing.T) {
	want, err := ui.Fingerprint("../ui")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(ui.StampFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(got)) != want {
		t.Error("the pages' sources have changed: run go run ./agent/internal/web/ui/build")
	}
}

// newer are interfaces that browsers of 2015 and IE 11 do not have; the syntax is checked by a parser.
var newer = regexp.MustCompile(`\b(fetch|Promise|Symbol|Proxy|URLSearchParams|IntersectionObserver|structuredClone)\b|` +
	`\.(includes|padStart|replaceAll|closest|flatMap|startsWith|endsWith|toggle)\(|Object\.(assign|entries|values)|Array\.from|Number\.is`)

func TestScriptsAreForOldBrowsers(t *testing.T) {
	for name, text := range files(t, ".js") {
		res := api.Transform(text, api.TransformOptions{Target: api.ES5})
		for _, m := range res.Errors {
			t.Errorf("%s: %s", name, m.Text)
		}
		asked := strings.ReplaceAll(text, "window.fetch", "") // by a page that goes away, if the browser has it
		if found := newer.FindString(asked); found != "" {
			t.Errorf("%s uses %s", name, found)
		}
	}
}

func TestStylesAreForOldBrowsers(t *testing.T) {
	modern := regexp.MustCompile(`display:(inline-)?grid|(^|[;{])(row-|column-)?gap:|var\(--|[;{]aspect-ratio:|inset:|:is\(|:where\(|clamp\(`)
	for name, text := range files(t, ".css") {
		if found := modern.FindString(text); found != "" {
			t.Errorf("%s uses %s", name, found)
		}
	}
}

func TestNothingComesFromElsewhere(t *testing.T) {
	for _, ending := range []string{".js", ".css"} {
		for name, text := range files(t, ending) {
			rest := strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")
			if strings.Contains(rest, "http:") || strings.Contains(rest, "https:") || strings.Contains(rest, "//cdn") {
				t.Errorf("%s refers to another server", name)
			}
		}
	}
}

func files(t *testing.T, ending string) map[string]string {
	t.Helper()
	names, err := fs.Glob(dist.FS(), "*"+ending)
	if err != nil || len(names) < 8 {
		t.Fatalf("%d files *%s, %v", len(names), ending, err)
	}
	out := map[string]string{}
	for _, n := range names {
		data, err := fs.ReadFile(dist.FS(), n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = string(data)
	}
	return out
}
