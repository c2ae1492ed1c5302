package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sizes. Files of tests do not count toward the files of a package: a test stands beside what it tests.
const (
	maxLines         = 500
	maxTestLines     = 800
	maxFunctionLines = 60
	maxPackageFiles  = 12
)

// skipped are folders that hold nothing of ours or nothing written by hand.
var skipped = map[string]bool{".git": true, "node_modules": true, "dist": true, "bin": true, "var": true, "testdata": true}

// sources calls each with every file of ours that has one of the endings.
func sources(t *testing.T, endings []string, each func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped[d.Name()]:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		for _, e := range endings {
			if strings.HasSuffix(path, e) {
				each(path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesStayReadable(t *testing.T) {
	sources(t, []string{".go", ".ts", ".vue", ".css", ".sh"}, func(path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		limit := maxLines
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".test.ts") {
			limit = maxTestLines
		}
		if n := strings.Count(string(data), "\n"); n > limit {
			t.Errorf("%s has %d lines, at most %d: split it by thing", relative(abs(t, path)), n, limit)
		}
	})
}

func abs(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// longFunctions may be longer, each for its reason.
var longFunctions = map[string]string{
	"agent/internal/queue.Apply": "one flat switch with a line or two for every kind of fact reads better than any split of it",
}

func TestFunctionsStayReadable(t *testing.T) {
	m := theModule(t)
	excused := map[string]bool{}
	for _, p := range m.packages {
		if covers("drivers/drivertest/", p.path()) {
			continue // its functions are bodies of tests
		}
		for _, f := range m.syntax[p] {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if n := m.fset.Position(fn.End()).Line - m.fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
					name := p.path() + "." + fn.Name.Name
					if longFunctions[name] != "" {
						excused[name] = true
						continue
					}
					t.Errorf("%s: %s has %d lines, at most %d", m.where(fn.Pos()), fn.Name.Name, n, maxFunctionLines)
				}
			}
		}
	}
	for name := range longFunctions {
		if !excused[name] {
			t.Errorf("%s needs no excuse any more: remove it", name)
		}
	}
}

func TestPackagesStaySmallAndSayWhatTheyGive(t *testing.T) {
	m := theModule(t)
	for _, p := range m.packages {
		if n := len(p.GoFiles); n > maxPackageFiles {
			t.Errorf("%s has %d files, at most %d: it is two packages", p.path(), n, maxPackageFiles)
		}
		docs := 0
		for _, f := range m.syntax[p] {
			if f.Doc != nil {
				docs++
				if want := "Package " + p.Name + " "; p.Name != "main" && !strings.HasPrefix(f.Doc.Text(), want) {
					t.Errorf("%s: the package comment does not begin with %q", m.where(f.Pos()), want)
				}
			}
		}
		if len(p.GoFiles) > 0 && docs != 1 {
			t.Errorf("%s has %d package comments, it needs one", p.path(), docs)
		}
		for _, word := range strings.Split(p.path(), "/") {
			switch strings.TrimSuffix(word, "s") {
			case "util", "common", "helper", "manager", "misc", "base", "lib", "shared":
				t.Errorf("%s: %q does not say what the package gives", p.path(), word)
			}
		}
	}
}

func TestNoHiddenState(t *testing.T) {
	m := theModule(t)
	for _, p := range m.packages {
		for _, f := range m.syntax[p] {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: init(): nothing may happen before main", m.where(fn.Pos()))
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if v := changed(m, p, n); v != nil {
					t.Errorf("%s changes the package variable %s: state belongs to a value somebody owns", m.where(n.Pos()), v.Name())
				}
				return true
			})
		}
	}
}

// changed gives the package variable that a node changes or lets others change, else nil.
func changed(m *module, p *listed, n ast.Node) *types.Var {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			if v := packageVar(m, p, left); v != nil {
				return v
			}
		}
	case *ast.IncDecStmt:
		return packageVar(m, p, n.X)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return packageVar(m, p, n.X)
		}
	case *ast.CallExpr: // a method on the variable's address, such as Lock
		sel, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return nil
		}
		s := m.info[p].Selections[sel]
		if s == nil || s.Kind() != types.MethodVal {
			return nil
		}
		_, pointerMethod := s.Obj().(*types.Func).Signature().Recv().Type().(*types.Pointer)
		if _, pointerVar := s.Recv().(*types.Pointer); pointerMethod && !pointerVar {
			return packageVar(m, p, sel.X)
		}
	}
	return nil
}

// packageVar gives the package variable at the root of an expression such as v, v.f or v[i].
func packageVar(m *module, p *listed, e ast.Expr) *types.Var {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if v := asPackageVar(m.info[p].Uses[x.Sel]); v != nil { // other.Variable
				return v
			}
			e = x.X
		case *ast.Ident:
			return asPackageVar(m.info[p].Uses[x])
		default:
			return nil
		}
	}
}

func asPackageVar(o types.Object) *types.Var {
	v, ok := o.(*types.Var)
	if !ok || v.IsField() || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
		return nil
	}
	return v
}

// forbidden are things no code of ours does, by the text of the selector or call.
var forbidden = map[string]string{
	"os.Exit":              "only main ends the program",
	"log.Fatal":            "only main ends the program",
	"log.Fatalf":           "only main ends the program",
	"log.Printf":           "logs go through the injected slog.Logger",
	"log.Println":          "logs go through the injected slog.Logger",
	"slog.Default":         "logs go through the injected slog.Logger",
	"slog.SetDefault":      "logs go through the injected slog.Logger",
	"http.DefaultServeMux": "a server owns its routes",
}

func TestForbiddenCalls(t *testing.T) {
	m := theModule(t)
	for _, p := range m.packages {
		for _, f := range m.syntax[p] {
			again := repanics(m, p, f)
			checked := checkedElsewhere(p, f)
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					text := types.ExprString(n)
					if reason, no := forbidden[text]; no && p.Name != "main" {
						t.Errorf("%s: %s: %s", m.where(n.Pos()), text, reason)
					}
					if n.Sel.Name == "InsecureSkipVerify" {
						t.Errorf("%s: InsecureSkipVerify: a certificate is checked or it is worth nothing", m.where(n.Pos()))
					}
				case *ast.KeyValueExpr:
					if id, ok := n.Key.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" && !checked[n] {
						t.Errorf("%s: InsecureSkipVerify: a certificate is checked or it is worth nothing", m.where(n.Pos()))
					}
				case *ast.CallExpr:
					if isBuiltin(m, p, n, "panic") && !again[n] {
						t.Errorf("%s: panic: nothing a device or a peer does may end the program; return an error", m.where(n.Pos()))
					}
				}
				return true
			})
		}
	}
}

// checkedElsewhere gives the InsecureSkipVerify that stand beside a check of our own. In agent/kit/gm/tlcp the library's asks for the host's
// name in every certificate of a chain and knows no issuers in between; its tests show foreign, old and stolen certificates refused. In
// agent/internal/relay nobody issues certificates to cameras: their keys are known, and its tests show another key refused.
func checkedElsewhere(p *listed, f *ast.File) map[*ast.KeyValueExpr]bool {
	checked := map[*ast.KeyValueExpr]bool{}
	check := map[string]string{"agent/kit/gm/tlcp": "VerifyPeerCertificate", "agent/internal/relay": "VerifyConnection"}[p.path()]
	if check == "" {
		return checked
	}
	ast.Inspect(f, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		keys := map[string]*ast.KeyValueExpr{}
		for _, e := range literal.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				keys[types.ExprString(kv.Key)] = kv
			}
		}
		if skip, verify := keys["InsecureSkipVerify"], keys[check]; skip != nil && verify != nil {
			checked[skip] = types.ExprString(verify.Value) != "nil"
		}
		return true
	})
	return checked
}

func isBuiltin(m *module, p *listed, call *ast.CallExpr, name string) bool {
	id, ok := call.Fun.(*ast.Ident)
	if !ok || id.Name != name {
		return false
	}
	_, builtin := m.info[p].Uses[id].(*types.Builtin)
	return builtin
}

// repanics gives the panics of functions that recover: they pass on what they caught, such as http.ErrAbortHandler.
func repanics(m *module, p *listed, f *ast.File) map[*ast.CallExpr]bool {
	again := map[*ast.CallExpr]bool{}
	for _, d := range f.Decls {
		recovers := false
		var panics []*ast.CallExpr
		ast.Inspect(d, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				recovers = recovers || isBuiltin(m, p, call, "recover")
				if isBuiltin(m, p, call, "panic") {
					panics = append(panics, call)
				}
			}
			return true
		})
		for _, call := range panics {
			again[call] = recovers
		}
	}
	return again
}

func TestTestsNeitherSleepNorSkip(t *testing.T) {
	fset := token.NewFileSet()
	for _, p := range theModule(t).packages {
		for _, name := range p.testFiles() {
			f, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			bubble := false // time in a synctest bubble is not real: sleeping there costs nothing and is exact
			for _, spec := range f.Imports {
				bubble = bubble || spec.Path.Value == `"testing/synctest"`
			}
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				at := fmt.Sprintf("%s:%d", relative(name), fset.Position(n.Pos()).Line)
				switch text := types.ExprString(sel); {
				case text == "time.Sleep" && !bubble:
					t.Errorf("%s: time.Sleep: wait for a condition with a deadline", at)
				case text == "t.Skip" || text == "t.Skipf" || text == "t.SkipNow":
					t.Errorf("%s: %s: what cannot run is a failure, or it would be forgotten", at, text)
				}
				return true
			})
		}
	}
}
