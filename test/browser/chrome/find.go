package chrome

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// found is one thing on the page as assistive technology sees it.
type found struct {
	id       cdp.BackendNodeID
	role     string
	name     string
	disabled bool
}

// all gives what the page has of a role; "" means every role.
func (p *Page) all(role string) ([]found, error) {
	return try(p, func(ctx context.Context, t *chromedp.Target) (list []found, err error) {
		root, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
		if err != nil {
			return nil, err
		}
		tree, err := cdp.Call(ctx, t, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root.Result.ObjectID, Role: role})
		if err != nil {
			return nil, err
		}
		for _, n := range tree.Nodes {
			if !n.Ignored && n.BackendDOMNodeID != 0 {
				list = append(list, found{id: n.BackendDOMNodeID, role: text(n.Role), name: squeeze(text(n.Name)), disabled: isDisabled(n)})
			}
		}
		return list, nil
	})
}

func text(v *accessibility.Value) (s string) {
	if v != nil {
		_ = json.Unmarshal(v.Value, &s) // what is no text has none
	}
	return s
}

func isDisabled(n *accessibility.Node) bool {
	for _, property := range n.Properties {
		if property.Name == accessibility.PropertyNameDisabled && property.Value != nil {
			return string(property.Value.Value) == "true"
		}
	}
	return false
}

// one finds the thing of a role and name. It is an error if there is none, or if there are several that fit equally well.
func (p *Page) one(role, name string) (found, error) {
	hits, err := p.best(role, name)
	switch {
	case err != nil:
		return found{}, err
	case len(hits) == 0:
		return found{}, fmt.Errorf("no %s is named %q", role, name)
	case len(hits) > 1:
		return found{}, fmt.Errorf("%d things of role %s are named %q", len(hits), role, name)
	}
	return hits[0], nil
}

// best finds the things of a role that have exactly a name, else those whose name begins with it, else those whose name contains
// it; there may be none.
func (p *Page) best(role, name string) ([]found, error) {
	list, err := p.all(role)
	if err != nil {
		return nil, err
	}
	want := squeeze(name)
	for _, good := range []func(string) bool{
		func(s string) bool { return s == want },
		func(s string) bool { return strings.HasPrefix(s, want) },
		func(s string) bool { return strings.Contains(s, want) },
	} {
		var hits []found
		for _, f := range list {
			if good(f.name) {
				hits = append(hits, f)
			}
		}
		if len(hits) > 0 {
			return hits, nil
		}
	}
	return nil, nil
}

func names(list []found) (out []string) {
	for _, f := range list {
		out = append(out, f.name)
	}
	return out
}

// outline lists what a failed test could have acted on.
func (p *Page) outline() string {
	list, err := p.all("")
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, f := range list {
		switch f.role {
		case "button", "link", "textbox", "combobox", "checkbox", "radio", "heading", "alert", "status", "dialog", "tab":
			fmt.Fprintf(&b, "  %s %q\n", f.role, f.name)
		}
	}
	return b.String()
}

// errGone is what a thing that left the page between two looks gives.
var errGone = errors.New("it left the page")

// on runs a function of JavaScript with this = the thing.
func on[T any](p *Page, f found, function string, args ...any) (T, error) {
	return try(p, func(ctx context.Context, t *chromedp.Target) (zero T, err error) {
		node, err := cdp.Call(ctx, t, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: f.id})
		if err != nil {
			return zero, errors.Join(errGone, err)
		}
		return chromedp.CallFunctionOn[T](function, func(c *runtime.CallFunctionOnParams) {
			c.ObjectID = node.Object.ObjectID
			wait := true
			c.AwaitPromise = &wait
		}, args...)(ctx, t)
	})
}

// Has waits until the page has a thing of a role and name.
func (p *Page) Has(role, name string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("%s %q", role, name), func() error {
		_, err := p.one(role, name)
		return err
	})
}

// Lacks waits until the page has no thing of a role and name.
func (p *Page) Lacks(role, name string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("no %s %q", role, name), func() error {
		hits, err := p.best(role, name)
		if err != nil || len(hits) == 0 {
			return err
		}
		return fmt.Errorf("there is %q", names(hits))
	})
}

// Of waits for a thing and gives what a function of JavaScript says about it.
func Of[T any](p *Page, role, name, function string, args ...any) (v T) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("%s %q", role, name), func() error {
		f, err := p.one(role, name)
		if err != nil {
			return err
		}
		v, err = on[T](p, f, function, args...)
		return err
	})
	return v
}

// Eval gives the value of an expression of JavaScript. A page that is loaded anew meanwhile is asked again.
func Eval[T any](p *Page, expression string) (v T) {
	p.t.Helper()
	until(p.t, "a value of "+expression, func() (err error) {
		v, err = try(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		if err != nil && !loadedAnew(err) {
			p.t.Fatal(err)
		}
		return err
	})
	return v
}

// loadedAnew tells the errors of what was asked of a page that went away.
func loadedAnew(err error) bool {
	const gone = -32000
	var e *cdproto.Error
	return errors.As(err, &e) && e.Code == gone
}
