package arch

import (
	"slices"
	"strings"
	"testing"
)

// rule says what the packages below From may import of ours. A package belongs to the rule with the longest From. Names
// that end in / mean everything below; the others are single packages, and one that is gone fails the test, so that no
// rule outlives what it speaks of.
type rule struct {
	from   string
	may    []string
	tests  []string // what test files may import beyond that
	reason string
}

var rules = []rule{
	{"firmware-protocols/", []string{"firmware-protocols/internal/"}, nil,
		"a codec is pure: bytes in, values out, usable and testable without any of our program"},
	{"drivers/device", nil, nil,
		"the interfaces know neither who implements them nor who uses them"},
	{"drivers/attached", nil, []string{"drivers/drivertest/sysfs"},
		"what is plugged in can be listed without any driver"},
	{"drivers/registry", []string{"drivers/attached", "drivers/device", "drivers/internal/"}, []string{"drivers/drivertest/"},
		"the registry knows drivers by name only; the list of them is builtin"},
	{"drivers/builtin", []string{"drivers/"}, []string{"configs"},
		"the one visible list of drivers"},
	{"drivers/internal/", []string{"drivers/attached", "drivers/device", "drivers/internal/"}, []string{"drivers/drivertest/"},
		"lines and sessions serve every driver and know none"},
	{"drivers/internal/rtu", []string{"drivers/device", "drivers/internal/", "firmware-protocols/modbus"}, []string{"drivers/drivertest/"},
		"one standard's rules for a line are the same for every driver that speaks it"},
	{"drivers/drivertest/", []string{"drivers/device", "drivers/drivertest/", "drivers/internal/", "drivers/registry", "firmware-protocols/"}, nil,
		"conformance suites test any driver through the interfaces"},
	{"drivers/", []string{"drivers/device", "drivers/registry", "drivers/internal/", "firmware-protocols/"},
		[]string{"drivers/drivertest/", "configs"},
		"a driver is one folder: no driver leans on another one, on the agent or on the cloud"},
	{"configs", nil, nil,
		"configs is data; everybody may read it, so it depends on nobody"},
	{"agent/kit/", nil, nil,
		"kit packages are leaves that agent and cloud share"},
	{"agent/kit/private", []string{"agent/kit/whole"}, nil,
		"a directory of keys is made of files that are there as a whole"},
	{"agent/kit/chain", []string{"agent/kit/gm"}, []string{"agent/kit/gm/gmtest"},
		"a chain is made of digests and signatures, and has no business with what is in the entries"},
	{"agent/kit/bundle", []string{"agent/kit/gm", "firmware-protocols/hallsync"}, []string{"agent/kit/gm/gmtest"},
		"a bundle of notices is made of digests, and signed as the contract says"},
	{"agent/kit/release", []string{"agent/kit/gm", "agent/kit/whole"}, nil,
		"a release is made of digests and a signature"},
	{"agent/kit/gm/", []string{"agent/kit/gm/"}, nil,
		"keys, certificates and connections of the national algorithms are one leaf in four packages"},
	{"agent/kit/gm", nil, []string{"agent/kit/gm/gmtest"},
		"keys and signatures can be used without certificates and connections"},
	{"agent/kit/gm/cert", []string{"agent/kit/gm"}, []string{"agent/kit/gm/gmtest"},
		"certificates know keys and no connections"},
	{"agent/kit/gm/tlcp", []string{"agent/kit/gm", "agent/kit/gm/cert", "agent/kit/limit"}, []string{"agent/kit/gm/gmtest"},
		"connections know certificates, and handshakes are bounded as those of every other protocol are"},
	{"agent/internal/queue", []string{"firmware-protocols/hallsync", "agent/internal/queue/"}, nil,
		"the rules of the queue are pure: the same facts always give the same state"},
	{"agent/internal/queue/line", []string{"firmware-protocols/hallsync"}, nil,
		"the order of those who wait can be read and tested without the rest of the rules"},
	{"agent/internal/queue/admit", nil, nil,
		"hours and quotas can be read and tested without the rest of the rules"},
	{"agent/internal/queue/rerun", []string{"firmware-protocols/hallsync", "agent/internal/queue"}, []string{"agent/internal/queue/line"},
		"a day is played again by the real rules, not by a copy of them"},
	{"agent/", []string{"agent/", "drivers/", "firmware-protocols/", "configs"}, []string{"test/fakes/", "test/await"},
		"the hall works without the cloud; they share hallsync and nothing else"},
	{"cloud/", []string{"cloud/", "firmware-protocols/hallsync", "agent/kit/", "configs"}, []string{"test/fakes/", "test/await"},
		"the cloud knows halls by the contract only, never by the agent's code or drivers"},
	{"test/", []string{"test/", "firmware-protocols/", "drivers/", "configs", "agent/kit/"}, nil,
		"tests of the whole drive the binaries from outside, as people and other systems do"},
}

// outside says which packages alone may import a library.
var outside = []struct {
	library string
	only    []string
	reason  string
	tests   bool // what tests import counts too
}{
	{"github.com/tarm/serial", []string{"drivers/internal/transport"},
		"it cannot tell a time-out from an unplug; transport hides that from everybody", false},
	{"github.com/goccy/go-yaml", []string{"agent/kit/strictyaml", "agent/kit/problem", "agent/internal/config", "drivers/registry", "configs", "test/", "cloud/internal/web/api"},
		"configuration goes through strictyaml, so that every fault comes with its line", false},
	{"github.com/emmansun/gmsm", []string{"agent/kit/gm", "agent/kit/gm/cert"},
		"what the library gets wrong, and keys that can be printed, stay inside the packages of keys and certificates", true},
	{"github.com/tjfoc/gmsm", []string{"agent/kit/gm", "agent/kit/gm/tlcp"},
		"it panics on hostile input and takes what is no signature: nothing from outside may reach it but through the filter of tlcp; gm tests against it", true},
	{"go.etcd.io/bbolt", []string{"agent/internal/store", "test/"},
		"one writer: nobody else may open the log", false},
	{"github.com/coreos/go-oidc/v3", []string{"cloud/internal/access/oidc"},
		"what a token has to be for us to believe it is decided in one place", true},
	{"golang.org/x/oauth2", []string{"cloud/internal/access/oidc"},
		"our secret at the identity platform and its codes are known in one place", true},
	{"github.com/zitadel/oidc/v3", []string{"test/fakes/identity"},
		"it is the identity platform that tests sign in at, and no part of the program", true},
	{"github.com/eclipse/paho.mqtt.golang", []string{"agent/internal/uplink", "cloud/", "test/"},
		"the uplink owns the session with the cloud", false},
}

// ruleFor gives the rule of a package, nil if there is none.
func ruleFor(path string) *rule {
	var best *rule
	for i := range rules {
		if covers(rules[i].from, path) && (best == nil || len(rules[i].from) > len(best.from)) {
			best = &rules[i]
		}
	}
	return best
}

func covers(pattern, path string) bool {
	return path == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(path+"/", pattern)
}

func anyCovers(patterns []string, path string) bool {
	for _, p := range patterns {
		if covers(p, path) {
			return true
		}
	}
	return false
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range theModule(t).packages {
		r := ruleFor(p.path())
		if r == nil {
			t.Errorf("%s: no import rule speaks of it; add one with its reason", p.path())
			continue
		}
		check := func(imports, may []string, kind string) {
			for _, imp := range imports {
				to, ours := strings.CutPrefix(imp, modulePath)
				if ours && to != p.path() && !anyCovers(may, to) {
					t.Errorf("%s%s imports %s: %s", p.path(), kind, to, r.reason)
				}
			}
		}
		check(p.Imports, r.may, "")
		testMay := append(append([]string{}, r.may...), r.tests...)
		check(p.TestImports, testMay, " (test)")
		check(p.XTestImports, testMay, " (test)")
	}
}

func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, o := range outside {
		used := false
		for _, p := range theModule(t).packages {
			imports := p.Imports
			if o.tests {
				imports = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
			}
			for _, imp := range imports {
				if imp != o.library && !strings.HasPrefix(imp, o.library+"/") {
					continue
				}
				used = true
				if !anyCovers(o.only, p.path()) {
					t.Errorf("%s imports %s: %s", p.path(), imp, o.reason)
				}
			}
		}
		if !used {
			t.Errorf("nobody imports %s any more: remove its rule", o.library)
		}
	}
}

func TestRulesSpeakOfWhatIsThere(t *testing.T) {
	packages := theModule(t).packages
	there := func(pattern string) bool {
		for _, p := range packages {
			if covers(pattern, p.path()) {
				return true
			}
		}
		return false
	}
	for _, r := range rules {
		for _, pattern := range append(append([]string{r.from}, r.may...), r.tests...) {
			if !there(pattern) {
				t.Errorf("rule of %s names %s, which is gone", r.from, pattern)
			}
		}
	}
	for _, o := range outside {
		for _, pattern := range o.only {
			if !there(pattern) {
				t.Errorf("rule of %s names %s, which is gone", o.library, pattern)
			}
		}
	}
}
