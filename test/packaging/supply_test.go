package packaging

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Who checks a program that he was given builds it once more, elsewhere: the bytes must be the same.
func TestTheAgentIsBuiltTheSameAnywhere(t *testing.T) {
	cmd := exec.Command(root + "/packaging/scripts/reproducible.sh")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if lines := strings.Fields(string(out)); len(lines) == 0 || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(lines[len(lines)-1]) {
		t.Errorf("no digest: %s", out)
	}
}

// bom is a list of materials, as far as it is looked at.
type bom struct {
	Components []struct {
		Name, Version string
		Hashes        []struct{ Alg string }
		Evidence      struct {
			Licenses []struct{ License struct{ ID string } }
		}
	}
}

// free are the licences under which a program may be handed on without its source.
var free = []string{
	"MIT", "MIT-0", "ISC", "0BSD", "Unlicense", "BSD-2-Clause", "BSD-3-Clause", "BSD-Source-Code", "Apache-2.0", "MPL-2.0", "EPL-2.0", "Zlib", "CC0-1.0", "WTFPL",
}

// readBySomebody are those that no tool knows from their text, and somebody has read.
var readBySomebody = map[string]string{"github.com/pressly/goose/v3": "MIT"}

func TestEveryPartOfTheProgramsIsListed(t *testing.T) {
	dir := t.TempDir()
	list := exec.Command(root+"/packaging/scripts/sbom.sh", dir)
	list.Env = append(os.Environ(), "VERSION=tested")
	if out, err := list.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wanted := map[string][]string{
		"hall-agent": {"go.etcd.io/bbolt", "github.com/emmansun/gmsm", "github.com/tarm/serial", "std"}, "hall-cloud": {"github.com/mochi-mqtt/server/v2", "modernc.org/sqlite", "std"},
		"hall-caller": {"std"},
	}
	for program, modules := range wanted {
		raw, err := os.ReadFile(filepath.Join(dir, program+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var materials bom
		if err := json.Unmarshal(raw, &materials); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range materials.Components {
			names = append(names, c.Name)
			if c.Name == "std" { // Go's own library: BSD-3-Clause, by the toolchain's version
				continue
			}
			if c.Version == "" || len(c.Hashes) == 0 {
				t.Errorf("%s: %s has no version or no digest", program, c.Name)
			}
			if slices.Contains(free, readBySomebody[c.Name]) {
				continue
			}
			if !slices.ContainsFunc(c.Evidence.Licenses, func(l struct{ License struct{ ID string } }) bool { return slices.Contains(free, l.License.ID) }) {
				t.Errorf("%s: %s %s has no licence that we know: %v", program, c.Name, c.Version, c.Evidence.Licenses)
			}
		}
		for _, m := range modules {
			if !slices.Contains(names, m) {
				t.Errorf("%s lists %d modules and not %s", program, len(names), m)
			}
		}
	}
}
