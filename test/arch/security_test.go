package arch

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unmet are the rows of packaging/docs/security.md that are not in use or not there yet. They are named here as well, so that none can
// become one of them, or stop being one, without somebody seeing it.
var unmet = []string{"S9", "S24"}

const (
	securityDoc = "packaging/docs/security.md"
	met         = "有"
)

var (
	securityRow = regexp.MustCompile(`(?m)^\| (S?\d+) \| (.+) \| (有|未启用|尚未) \| (.+) \| (.+) \|$`)
	drawing     = regexp.MustCompile("(?s)```.*?```")
	quoted      = regexp.MustCompile("`([^`]+)`")
	ofPackage   = regexp.MustCompile(`^((?:agent|cloud|drivers|firmware-protocols|test)(?:/[a-z0-9-]+)*)\.([A-Z]\w*)$`)
	ofTree      = regexp.MustCompile(`^(?:agent|cloud|drivers|firmware-protocols|test|packaging|configs)/[\w./-]+$`)
	ofThreat    = regexp.MustCompile(`(?m)^func (TestThreat(\d\d)\w*)\(`)
	unmetCount  = regexp.MustCompile(`未启用和尚未一共 (\d+) 条`)
)

// declared tells whether a package's folder has a file, of tests or of the program, that declares a name.
func declared(t *testing.T, dir, name string) bool {
	t.Helper()
	ofTests := strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	is := regexp.MustCompile(`(?m)^(?:func(?: \([^)]*\))?|type|const|var|\t)\s*` + name + `\b`)
	if ofTests {
		is = regexp.MustCompile(`(?m)^func ` + name + `\(`)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") != ofTests {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if is.Match(data) {
			return true
		}
	}
	return false
}

// Whoever assesses the program can believe its tables: all rows are there, and whatever they name exists.
func TestSecurityTablesAreTrue(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, securityDoc))
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for n := 1; n <= 24; n++ {
		missing[fmt.Sprint("S", n)] = true
	}
	for n := 1; n <= 36; n++ {
		missing[fmt.Sprint("T", n)] = true
	}
	var open []string
	for _, row := range securityRow.FindAllStringSubmatch(string(data), -1) {
		id, state, where, tests := row[1], row[3], row[4], row[5]
		if !strings.HasPrefix(id, "S") {
			id = "T" + id
		}
		if !missing[id] {
			t.Errorf("%s: there is no row %s, or it is there twice", securityDoc, id)
		}
		delete(missing, id)
		if state != met {
			open = append(open, id)
		}
		if strings.TrimSpace(where) == "" {
			t.Errorf("%s: %s does not say where", securityDoc, id)
		}
		named := 0
		for _, m := range quoted.FindAllStringSubmatch(tests, -1) {
			part := ofPackage.FindStringSubmatch(m[1])
			if part == nil || !strings.HasPrefix(part[2], "Test") && !strings.HasPrefix(part[2], "Fuzz") {
				t.Errorf("%s: %s names %q, which is no test", securityDoc, id, m[1])
				continue
			}
			named++
		}
		if named == 0 {
			t.Errorf("%s: %s names no test", securityDoc, id)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s: no rows %v", securityDoc, slices.Sorted(maps.Keys(missing)))
	}
	if !slices.Equal(open, unmet) {
		t.Errorf("%s: not in use or not there yet are %v; the test knows of %v", securityDoc, open, unmet)
	}
	if m := unmetCount.FindStringSubmatch(string(data)); m == nil || m[1] != strconv.Itoa(len(open)) {
		t.Errorf("%s says %v of rows that are not in use or not there yet: they are %d", securityDoc, m, len(open))
	}
	t.Logf("%d rows are not in use or not there yet: %v", len(open), open)
}

// Every file, symbol and test that the document names anywhere is there.
func TestTheSecurityDocumentNamesWhatIsThere(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, securityDoc))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	text := drawing.ReplaceAllString(string(data), "")
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if part := ofPackage.FindStringSubmatch(name); part != nil {
			found++
			if !declared(t, part[1], part[2]) {
				t.Errorf("%s names %s: there is no %s in %s", securityDoc, name, part[2], part[1])
			}
		} else if ofTree.MatchString(name) {
			found++
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s names %s: %v", securityDoc, name, err)
			}
		}
	}
	if found < 150 {
		t.Errorf("only %d names found: does the search still work?", found)
	}
}

// A test that names a threat stands in its row, and a threat that is met is met by a test that names it.
func TestThreatsAreTestedByTheirNames(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, securityDoc))
	if err != nil {
		t.Fatal(err)
	}
	states, named := map[string]string{}, map[string]map[string]bool{}
	for _, row := range securityRow.FindAllStringSubmatch(string(data), -1) {
		if n, err := strconv.Atoi(row[1]); err == nil {
			id := fmt.Sprintf("%02d", n)
			states[id], named[id] = row[3], map[string]bool{}
			for _, m := range quoted.FindAllStringSubmatch(row[5], -1) {
				named[id][m[1]] = true
			}
		}
	}
	tested := map[string]int{}
	sources(t, []string{"_test.go"}, func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ofThreat.FindAllStringSubmatch(string(text), -1) {
			name := filepath.ToSlash(dir) + "." + m[1]
			if tested[m[2]]++; !named[m[2]][name] {
				t.Errorf("%s is of threat %s: name it in that row of %s", name, m[2], securityDoc)
			}
		}
	})
	for id, state := range states {
		if state == met && tested[id] == 0 {
			t.Errorf("%s: threat %s is met, and no test is called TestThreat%s…", securityDoc, id, id)
		}
	}
}

// Threat 35: what people wrote never becomes a command line: no program of ours asks a shell.
func TestThreat35NoShellIsAsked(t *testing.T) {
	m, commands := theModule(t), 0
	for _, p := range m.packages {
		if strings.HasPrefix(p.path(), "test/") {
			continue
		}
		for _, f := range m.syntax[p] {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if fun, ok := call.Fun.(*ast.SelectorExpr); !ok || !isCommand(m.info[p].Uses[fun.Sel]) {
					return true
				}
				commands++
				for _, arg := range call.Args {
					if v := m.info[p].Types[arg].Value; v != nil && v.Kind() == constant.String && shells[filepath.Base(constant.StringVal(v))] {
						t.Errorf("%s asks a shell", m.fset.Position(call.Pos()))
					}
				}
				return true
			})
		}
	}
	if commands < 3 {
		t.Errorf("only %d commands found: does the search still work?", commands)
	}
}

func isCommand(callee types.Object) bool {
	return callee != nil && callee.Pkg() != nil && callee.Pkg().Path() == "os/exec" && strings.HasPrefix(callee.Name(), "Command")
}

// shells are the words by which a command becomes a line that is read anew.
var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "busybox": true, "cmd": true, "powershell": true, "-c": true, "/c": true}
