// Package arch gives tests that hold the architecture: who may import whom, how large things may grow, what code may not do,
// and that every code a program speaks has a sentence for people. A failing test prints the reason of the rule it holds.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the repository, seen from this package's folder.
const root = "../.."

// modulePath begins the import path of every package of ours.
const modulePath = "halledge/"

// listed is what `go list` says about one package.
type listed struct {
	ImportPath   string
	Dir          string
	Name         string
	Export       string // compiled form, for the type checker
	Standard     bool
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// path is the package's folder below the repository.
func (p *listed) path() string { return strings.TrimPrefix(p.ImportPath, modulePath) }

func (p *listed) ours() bool { return strings.HasPrefix(p.ImportPath, modulePath) }

func (p *listed) files() []string {
	var names []string
	for _, n := range p.GoFiles {
		names = append(names, filepath.Join(p.Dir, n))
	}
	return names
}

func (p *listed) testFiles() []string {
	var names []string
	for _, n := range append(append([]string{}, p.TestGoFiles...), p.XTestGoFiles...) {
		names = append(names, filepath.Join(p.Dir, n))
	}
	return names
}

// module is the whole program, parsed and type-checked.
type module struct {
	all      map[string]*listed // with dependencies, by import path
	packages []*listed          // ours, in order
	fset     *token.FileSet
	syntax   map[*listed][]*ast.File // without tests
	info     map[*listed]*types.Info
}

// load reads the module once for all tests. Every package of ours must compile.
var load = sync.OnceValues(func() (*module, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json", "./...")
	list.Dir = root
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	m := &module{all: map[string]*listed{}, fset: token.NewFileSet(),
		syntax: map[*listed][]*ast.File{}, info: map[*listed]*types.Info{}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &listed{}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		m.all[p.ImportPath] = p
		if p.ours() {
			m.packages = append(m.packages, p)
		}
	}
	for _, p := range m.packages {
		if err := m.check(p); err != nil {
			return nil, err
		}
	}
	return m, nil
})

func (m *module) check(p *listed) error {
	for _, name := range p.files() {
		f, err := parser.ParseFile(m.fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		m.syntax[p] = append(m.syntax[p], f)
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: importer.ForCompiler(m.fset, "gc", func(path string) (io.ReadCloser, error) {
		dep, ok := m.all[path]
		if !ok {
			dep, ok = m.all["vendor/"+path]
		}
		if !ok || dep.Export == "" {
			return nil, fmt.Errorf("no compiled form of %s", path)
		}
		return os.Open(dep.Export)
	})}
	if _, err := conf.Check(p.ImportPath, m.fset, m.syntax[p], info); err != nil {
		return fmt.Errorf("type check: %w", err)
	}
	m.info[p] = info
	return nil
}

func theModule(t *testing.T) *module {
	t.Helper()
	m, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// where gives a position as path:line below the repository.
func (m *module) where(pos token.Pos) string {
	p := m.fset.Position(pos)
	return fmt.Sprintf("%s:%d", relative(p.Filename), p.Line)
}

func relative(file string) string {
	base, err := filepath.Abs(root)
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(base, file); err == nil {
		return rel
	}
	return file
}
