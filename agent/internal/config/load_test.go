package config_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"halledge/agent/internal/config"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/configs"
	"halledge/drivers/device"
)

// site lays out a configuration directory with the sample files and their secrets, and returns the path of agent.yaml.
func site(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"agent.yaml", "hall.yaml"} {
		write(t, filepath.Join(dir, name), sample(t, name))
	}
	for _, name := range []string{"kiosk-1.token", "screen-1.token", "camera-1.password", "relay.password", "plain.password"} {
		write(t, filepath.Join(dir, "secrets", name), "secret of "+name+"\n")
	}
	signKey, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := signKey.PEM()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secrets", "codes.key"), text)
	return filepath.Join(dir, "agent.yaml")
}

func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(configs.FS(), "samples/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// edit replaces one text in a file; the text must be there.
func edit(t *testing.T, file, old, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	write(t, file, strings.Replace(string(data), old, text, 1))
}

func TestSamplesLoad(t *testing.T) {
	path := site(t)
	c, problems := config.Load(path)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	dir := filepath.Dir(path)
	if c.Dir != dir || c.Site.Plan != filepath.Join(dir, "hall.yaml") {
		t.Errorf("paths: %q %q", c.Dir, c.Site.Plan)
	}
	if got := c.Site.Web.Tokens[0].Secret.Reveal(); got != "secret of kiosk-1.token" {
		t.Errorf("token %q", got)
	}
	if c.Plan.Windows[1].Name != "2号窗口" || c.Plan.Staff[0].Role != "clerk" {
		t.Errorf("plan %+v", c.Plan)
	}
	hidden := struct{ site config.Site }{c.Site}
	got := fmt.Sprintf("%v %+v %#v %v %+v %#v", c.Site, c.Site, c.Site, hidden, hidden, &hidden)
	logged := new(bytes.Buffer)
	slog.New(slog.NewJSONHandler(logged, nil)).Info("site", "password", c.Site.Cloud.Password, "site", c.Site)
	written, err := yaml.Marshal(c.Site)
	if err != nil {
		t.Fatal(err)
	}
	if text := got + logged.String() + string(written); strings.Contains(text, "secret of") {
		t.Error("a secret can be printed:", text)
	}
}

// Everything but the required keys has a default, and the samples show these defaults.
func TestDefaults(t *testing.T) {
	path := site(t)
	write(t, path, "schema: 1\nhall: {code: 440900000000001, name: 厅}\n")
	write(t, filepath.Join(filepath.Dir(path), "hall.yaml"),
		"schema: 1\nqueues: [{id: A, name: 业务}]\nwindows: [{id: 1, queues: [A]}]\n")
	c, problems := config.Load(path)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	s := c.Site
	if s.Data != config.DefaultData || s.Web.Listen != ":8080" || s.Hall.Profile != "full" || s.Codes.Resolver != "none" ||
		s.Relay.LingerS != 10 || s.Journal != (config.Journal{MaxMiB: 2048, RetainDays: 7}) || s.Log.Level != "info" {
		t.Errorf("%+v", s)
	}
	if !reflect.DeepEqual(c.Plan.Rules, config.Rules{TakesPerS: 5, CallGapS: 5, Arrival: "assumed", PassRecallS: 600, WaitMinCount: 5, Reprints: 2, MaxOpen: 3, EndAfterMin: 30, EndFrom: "17:00",
		Voice:  config.Voice{Repeat: 2, Languages: []string{"zh-CN"}, Rate: 100, Volume: 80, MaxAgeS: 180},
		Panels: config.Panels{Waiting: "欢迎光临", Paused: "暂停服务", Closed: "暂未开放"}, SignIn: config.SignIn{LockMin: 10}}) ||
		c.Plan.Zone != "Asia/Shanghai" || c.Plan.Queues[0].Identity != "none" || c.Plan.Windows[0].Name != "1号窗口" {
		t.Errorf("%+v", c.Plan)
	}
}

func TestFaultsAreFoundWhereTheyAre(t *testing.T) {
	catalog, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(faults, lineFaults) {
		t.Run(f.text, func(t *testing.T) {
			path := site(t)
			file := filepath.Join(filepath.Dir(path), f.file)
			edit(t, file, f.old, f.text)
			_, problems := config.Load(path)
			if len(problems) != 1 {
				t.Fatalf("%d problems: %v", len(problems), problems)
			}
			p := problems[0]
			if p.Code != f.code || p.File != file || p.Path != f.path {
				t.Errorf("got %s %s at %s, want %s %s at %s", p.Code, p.Path, p.File, f.code, f.path, file)
			}
			data, _ := os.ReadFile(file)
			if line := strings.Split(string(data), "\n")[p.Line-1]; !strings.Contains(line, f.line) {
				t.Errorf("points to line %d %q, which does not hold %q", p.Line, line, f.line)
			}
			say := catalog.Say(string(p.Code), p.Args)
			if say == string(p.Code) || strings.Contains(say, "…号") || strings.Contains(say, "“…”") {
				t.Errorf("sentence %q", say)
			}
			for _, name := range catalog.Args(string(p.Code)) {
				if _, given := p.Args[name]; !given {
					t.Errorf("the sentence wants {%s}, the problem has %v", name, p.Args)
				}
			}
		})
	}
}

func TestEveryCodeOfConfigHasAFault(t *testing.T) {
	tested := map[strictyaml.Code]bool{
		config.Unreadable: true, config.Migration: true, strictyaml.SecretOpen: true, strictyaml.SecretMissing: true, // tests of their own
		strictyaml.SecretShort: true, config.TokenShared: true,
	}
	for _, f := range slices.Concat(faults, lineFaults) {
		tested[f.code] = true
	}
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`"(config_\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 20 {
		t.Fatalf("only %d codes in codes.go", len(codes))
	}
	for _, c := range codes {
		if !tested[strictyaml.Code(c[1])] {
			t.Errorf("no test for %s", c[1])
		}
	}
}

func TestAllProblemsOfBothFilesComeAtOnce(t *testing.T) {
	path := site(t)
	edit(t, path, "profile: full", "profle: full")
	edit(t, path, "max_mib: 2048", "max_mib: much")
	edit(t, filepath.Join(filepath.Dir(path), "hall.yaml"), "zone: Asia/Shanghai", "zone: Asia/Maoming")
	_, problems := config.Load(path)
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%s:%d %s", filepath.Base(p.File), p.Line, p.Code))
	}
	want := []string{"agent.yaml:11 config_unknown_key", "agent.yaml:106 config_want_integer", "hall.yaml:5 config_zone"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	path := site(t)
	if _, problems := config.Load(filepath.Dir(path)); len(problems) != 1 || problems[0].Code != config.Unreadable {
		t.Error("directory:", problems)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), "hall.yaml")); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(path)
	if len(problems) != 1 || problems[0].Code != config.Unreadable || problems[0].Path != "$.plan" || problems[0].File != path {
		t.Error("no plan:", problems)
	}
	if _, problems := config.Load(path + ".gone"); len(problems) != 1 || problems[0].Code != config.Unreadable {
		t.Error("no site:", problems)
	}
}

func TestSecrets(t *testing.T) {
	path := site(t)
	secrets := filepath.Join(filepath.Dir(path), "secrets")
	if err := os.Chmod(filepath.Join(secrets, "camera-1.password"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(path)
	if len(problems) != 1 || problems[0].Code != strictyaml.SecretOpen || !problems[0].Warning || problems.Err() != nil {
		t.Error("open file:", problems)
	}
	write(t, filepath.Join(secrets, "camera-1.password"), "p")
	for _, c := range []struct {
		file, text string
		code       strictyaml.Code
		path       string
	}{
		{"kiosk-1.token", "short", strictyaml.SecretShort, "$.web.tokens[0].secret"},
		{"kiosk-1.token", "secret of screen-1.token", config.TokenShared, "$.web.tokens[1].secret"},
		{"camera-1.password", strings.Repeat("x", 5000), strictyaml.SecretMissing, "$.cameras[0].password"},
	} {
		path := site(t)
		write(t, filepath.Join(filepath.Dir(path), "secrets", c.file), c.text)
		_, problems := config.Load(path)
		if len(problems) == 0 || !slices.ContainsFunc(problems, func(p strictyaml.Problem) bool {
			return p.Code == c.code && p.Path == c.path
		}) {
			t.Errorf("%s: %v", c.code, problems)
		}
	}
	if err := os.Remove(filepath.Join(secrets, "camera-1.password")); err != nil {
		t.Fatal(err)
	}
	_, problems = config.Load(path)
	if !slices.ContainsFunc(problems, func(p strictyaml.Problem) bool {
		return p.Code == strictyaml.SecretMissing && p.Path == "$.cameras[0].password"
	}) {
		t.Error("missing file:", problems)
	}
}

func TestWithPlanChecksAgainstTheSite(t *testing.T) {
	c, problems := config.Load(site(t))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	next, problems := c.WithPlan("cloud.yaml", []byte(strings.Replace(sample(t, "hall.yaml"), "revision: 1 ", "revision: 2 ", 1)))
	if len(problems) != 0 || next.Plan.Revision != 2 || c.Plan.Revision != 1 {
		t.Errorf("revision %d, problems %v", next.Plan.Revision, problems)
	}
	_, problems = c.WithPlan("cloud.yaml", []byte("schema: 1\nqueues: [{id: A, name: x}]\nwindows: [{id: 1, queues: [A]}]\n"+
		"screens: [{id: 1}]\n"))
	if problems.Err() == nil || problems[0].Code != config.UnknownKiosk {
		t.Error("a plan without the kiosk the printer stands at:", problems)
	}
}

func TestDeviceNames(t *testing.T) {
	for name, want := range map[string]device.Class{
		"kiosk-1.printer": device.ClassPrinter, "kiosk-1.spare": device.ClassPrinter, "kiosk-1.scanner": device.ClassScanner, "desk-1.idcard": device.ClassIDCard,
		"window-A12.pad": device.ClassCallPad, "window-1.rater": device.ClassRatingPad, "screen-2.led": device.ClassScreen,
		"hall.led": device.ClassScreen, "hall.speaker": device.ClassSpeaker,
		"hall-1.led": "", "kiosk.printer": "", "kiosk-.printer": "", "kiosk-1.plotter": "", "roof-1.led": "", "printer": "",
		"window-1.pad.x": "", "": "",
	} {
		if got := (config.Device{Name: name}).Class(); got != want {
			t.Errorf("%q: class %q, want %q", name, got, want)
		}
	}
	if got := (config.Kiosk{ID: "7"}).SpareName(); got != "kiosk-7.spare" {
		t.Errorf("spare printer %q", got)
	}
	if got := (config.Kiosk{ID: "7"}).PrinterName(); got != "kiosk-7.printer" {
		t.Error(got)
	}
}

// A missing hall.yaml hides no wrong value of agent.yaml.
func TestAMissingPlanHidesNothing(t *testing.T) {
	path := site(t)
	edit(t, path, "profile: full", "profile: palace")
	edit(t, path, "listen: \":8080\"", "listen: 8080")
	if err := os.Remove(filepath.Join(filepath.Dir(path), "hall.yaml")); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(path)
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	for _, want := range []string{"$.hall.profile", "$.web.listen", "$.plan"} {
		if !slices.Contains(got, want) {
			t.Errorf("no problem at %s, only at %q", want, got)
		}
	}
}

// A slip of the pen in one place hides no wrong value in another.
func TestShapeAndValuesAreReportedTogether(t *testing.T) {
	path := site(t)
	edit(t, path, "profile: full", "profile: palace")
	edit(t, path, "listen: \":8080\"", "listn: \":8080\"")
	edit(t, path, "max_mib: 2048", "max_mib: much")
	_, problems := config.Load(path)
	got := map[string]strictyaml.Code{}
	for _, p := range problems {
		got[p.Path] = p.Code
	}
	for path, want := range map[string]strictyaml.Code{
		"$.hall.profile": strictyaml.NotAllowed, "$.web.listn": strictyaml.UnknownKey, "$.journal.max_mib": strictyaml.WantInteger,
	} {
		if got[path] != want {
			t.Errorf("%s: %q, want %s", path, got[path], want)
		}
	}
}

func TestCamerasAreKnownByWhatPeopleCopy(t *testing.T) {
	for _, written := range []string{"c0:56:e3:01:02:03", "C0-56-E3-01-02-03", "c056.e301.0203"} {
		var mac config.MAC
		if err := mac.UnmarshalText([]byte(written)); err != nil || mac != "c0:56:e3:01:02:03" {
			t.Errorf("%s is %q, %v", written, mac, err)
		}
	}
	var mac config.MAC
	if err := mac.UnmarshalText([]byte("02:00:5e:10:00:00:00:01")); err == nil {
		t.Errorf("a card of eight bytes is %q", mac)
	}
	sum := strings.Repeat("5f", 32)
	for _, written := range []string{sum, strings.ToUpper(sum), strings.TrimSuffix(strings.Repeat("5F:", 32), ":")} {
		var key config.KeyDigest
		if err := key.UnmarshalText([]byte(written)); err != nil || string(key) != sum {
			t.Errorf("%s is %q, %v", written, key, err)
		}
	}
}
