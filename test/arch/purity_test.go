package arch

import (
	"go/ast"
	"go/types"
	"strconv"
	"strings"
	"testing"
)

// pure are the packages that only compute.
var pure = []string{
	"firmware-protocols/", "agent/internal/queue", "agent/internal/queue/line", "agent/internal/queue/admit", "agent/internal/queue/rerun",
}

// impureImports are packages of the standard library a pure package has no use for.
var impureImports = []string{"net", "os", "syscall", "log", "math/rand", "runtime", "os/exec", "plugin", "unsafe"}

// impureCalls read the clock or wait.
var impureCalls = map[string]bool{
	"time.Now": true, "time.Since": true, "time.Until": true, "time.Sleep": true, "time.After": true, "time.AfterFunc": true,
	"time.Tick": true, "time.NewTimer": true, "time.NewTicker": true,
}

func TestPurePackagesOnlyCompute(t *testing.T) {
	m := theModule(t)
	for _, p := range m.packages {
		if !anyCovers(pure, p.path()) {
			continue
		}
		for _, f := range m.syntax[p] {
			for _, spec := range f.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, no := range impureImports {
					if path == no || strings.HasPrefix(path, no+"/") {
						t.Errorf("%s imports %s: a pure package has no network, disk, log or chance", m.where(spec.Pos()), path)
					}
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s starts a goroutine: a pure package has none", m.where(n.Pos()))
				case *ast.Ident:
					if name := qualified(m.info[p].Uses[n]); impureCalls[name] {
						t.Errorf("%s uses %s: time comes from the caller", m.where(n.Pos()), name)
					}
				}
				return true
			})
		}
	}
}

// qualified gives package.Name of a function of another package, else "".
func qualified(o types.Object) string {
	f, ok := o.(*types.Func)
	if !ok || f.Pkg() == nil || f.Signature().Recv() != nil {
		return ""
	}
	return f.Pkg().Path() + "." + f.Name()
}
