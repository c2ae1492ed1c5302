package arch

import (
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"
)

// sinks are where a text becomes SQL: by function, the place of the text among what it is called with.
type sinks map[string]int

// sqlText follows what is asked of databases back to the words of our own programs.
type sqlText struct {
	m     *module
	to    sinks
	funcs map[string]funcOf // by full name
	calls int
	faults
}

// faults are expressions that are not made of our own words.
type faults map[string]bool

// funcOf is a function with the package whose facts are about it.
type funcOf struct {
	pkg  *listed
	decl *ast.FuncDecl
}

// within is an expression's surroundings.
type within struct {
	pkg  *listed
	body ast.Node // of the declared function
	decl *ast.FuncDecl
	seen map[types.Object]bool
}

// asksDatabase tells whether a method of database/sql takes SQL, and as which of its parameters.
func asksDatabase(f *types.Func) (at int, is bool) {
	if f.Pkg() == nil || f.Pkg().Path() != "database/sql" {
		return 0, false
	}
	params := f.Signature().Params()
	for i := range params.Len() {
		if params.At(i).Name() == "query" {
			return i, true
		}
	}
	return 0, false
}

// shape names a function type by its parameters.
func shape(s *types.Signature) string {
	var b strings.Builder
	for i := range s.Params().Len() {
		fmt.Fprintf(&b, "%s,", types.TypeString(s.Params().At(i).Type(), nil))
	}
	return "func " + b.String()
}

// callee gives the name by which a called function is among the sinks: its own, or its shape if it is a value.
func (q *sqlText) callee(p *listed, call *ast.CallExpr) (name string, f *types.Func) {
	var id *ast.Ident
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		id = fun
	case *ast.SelectorExpr:
		id = fun.Sel
	}
	if id != nil {
		if f, ok := q.m.info[p].Uses[id].(*types.Func); ok {
			return f.FullName(), f
		}
	}
	if s, ok := q.m.info[p].Types[call.Fun].Type.(*types.Signature); ok {
		return shape(s), nil
	}
	return "", nil
}

// walk looks at every call of a sink once; it reports whether it found new sinks.
func (q *sqlText) walk() (more bool) {
	before := len(q.to)
	q.calls, q.faults = 0, faults{}
	for _, name := range slices.Sorted(maps.Keys(q.funcs)) {
		f := q.funcs[name]
		ast.Inspect(f.decl.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name, fn := q.callee(f.pkg, call)
			at, sink := q.to[name]
			if fn != nil && !sink {
				at, sink = asksDatabase(fn)
			}
			if sink && at < len(call.Args) {
				q.calls++
				q.own(within{f.pkg, f.decl.Body, f.decl, map[types.Object]bool{}}, call.Args[at])
			}
			return true
		})
	}
	return len(q.to) > before
}

// own wants an expression to be made of constants, numbers and what its function is called with by those of whom the same is wanted.
func (q *sqlText) own(in within, e ast.Expr) {
	info := q.m.info[in.pkg]
	e = ast.Unparen(e)
	if tv, ok := info.Types[e]; ok {
		if tv.Value != nil {
			return
		}
		if b, ok := tv.Type.Underlying().(*types.Basic); ok && b.Info()&types.IsInteger != 0 {
			return
		}
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		q.own(in, e.X)
		q.own(in, e.Y)
		return
	case *ast.CompositeLit:
		for _, el := range e.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
			}
			q.own(in, el)
		}
		return
	case *ast.CallExpr:
		if q.made(in, e) {
			return
		}
	case *ast.Ident:
		if v, ok := info.Uses[e].(*types.Var); ok && q.variable(in, v) {
			return
		}
	}
	q.faults[fmt.Sprintf("%s: %s", q.m.fset.Position(e.Pos()), types.ExprString(e))] = true
}

// made looks at a call that gives text.
func (q *sqlText) made(in within, call *ast.CallExpr) bool {
	name, f := q.callee(in.pkg, call)
	if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "append" || slices.Contains([]string{"fmt.Sprintf", "strings.Join", "strings.Repeat"}, name) {
		for _, arg := range call.Args {
			q.own(in, arg)
		}
		return true
	}
	body, ok := q.funcs[name]
	if f == nil || !ok {
		return false
	}
	ast.Inspect(body.decl.Body, func(n ast.Node) bool {
		if _, inner := n.(*ast.FuncLit); inner {
			return false
		}
		if ret, ok := n.(*ast.ReturnStmt); ok && len(ret.Results) > 0 {
			q.own(within{body.pkg, body.decl.Body, body.decl, map[types.Object]bool{}}, ret.Results[0])
		}
		return true
	})
	return true
}

// variable looks at everything that a variable is given.
func (q *sqlText) variable(in within, v *types.Var) bool {
	if in.seen[v] {
		return true
	}
	in.seen[v] = true
	if fn, at, is := parameter(q.m.info[in.pkg], in.decl, v); is {
		var name string
		if decl, ok := fn.(*ast.FuncDecl); ok {
			name = q.m.info[in.pkg].Defs[decl.Name].(*types.Func).FullName()
		} else {
			name = shape(q.m.info[in.pkg].Types[fn.(*ast.FuncLit)].Type.(*types.Signature))
		}
		q.to[name] = at
		return true
	}
	given := 0
	take := func(e ast.Expr) {
		given++
		q.own(in, e)
	}
	is := func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return ok && (q.m.info[in.pkg].Defs[id] == v || q.m.info[in.pkg].Uses[id] == v)
	}
	ast.Inspect(in.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if !is(left) {
					continue
				}
				if len(n.Rhs) == len(n.Lhs) {
					take(n.Rhs[i])
				} else if i == 0 { // the first of what a function gives
					take(n.Rhs[0])
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if is(name) {
					given++
					if i < len(n.Values) {
						q.own(in, n.Values[i])
					}
				}
			}
		case *ast.RangeStmt:
			if n.Value != nil && is(n.Value) {
				take(n.X)
			}
		}
		return true
	})
	return given > 0
}

// parameter finds the function, declared or literal, that a variable is a parameter of.
func parameter(info *types.Info, decl *ast.FuncDecl, v *types.Var) (fn ast.Node, at int, is bool) {
	ast.Inspect(decl, func(n ast.Node) bool {
		var list *ast.FieldList
		switch n := n.(type) {
		case *ast.FuncDecl:
			list = n.Type.Params
		case *ast.FuncLit:
			list = n.Type.Params
		default:
			return true
		}
		i := 0
		for _, field := range list.List {
			for _, name := range field.Names {
				if info.Defs[name] == v {
					fn, at, is = n, i, true
				}
				i++
			}
		}
		return !is
	})
	return fn, at, is
}

// Threat 35: no word of anybody else stands in what a database is asked: its text is put together of our own constants and of numbers
// alone, through however many functions it comes. What people wrote travels beside it, as parameters.
func TestThreat35TheWordsOfQueriesAreOurOwn(t *testing.T) {
	q := &sqlText{m: theModule(t), to: sinks{}, funcs: map[string]funcOf{}}
	for _, p := range q.m.packages {
		if strings.HasPrefix(p.path(), "test/") {
			continue
		}
		for _, f := range q.m.syntax[p] {
			for _, d := range f.Decls {
				if decl, ok := d.(*ast.FuncDecl); ok && decl.Body != nil {
					q.funcs[q.m.info[p].Defs[decl.Name].(*types.Func).FullName()] = funcOf{p, decl}
				}
			}
		}
	}
	for q.walk() {
	}
	for fault := range q.faults {
		t.Errorf("%s goes into SQL, and not all of it is ours", fault)
	}
	if q.calls < 100 || len(q.to) < 8 {
		t.Errorf("only %d queries by %d functions found: does the search still work?", q.calls, len(q.to))
	}
	t.Logf("%d queries by %d functions", q.calls, len(q.to))
}
