package ops_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"halledge/agent/kit/health"
)

// deviceCodes reads the reasons of failure that drivers have from where they stand.
func deviceCodes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "..", "drivers", "device", "error.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, code)
		return true
	})
	return codes
}

// A code that is missing from one of the lists is a trouble that nobody is told, or that never ends.
func TestEveryTroubleOfADeviceIsAConditionWithAdvice(t *testing.T) {
	codes := deviceCodes(t)
	if len(codes) < 10 {
		t.Fatalf("only %q", codes)
	}
	page, err := os.ReadFile(filepath.Join("..", "web", "ui", "src", "ops", "device.ts"))
	if err != nil {
		t.Fatal(err)
	}
	table := health.Table()
	for _, code := range codes {
		full := health.Code("device_" + code)
		if !slices.ContainsFunc(table, func(c health.Condition) bool { return c.Code == full }) || !slices.Contains(health.DeviceCodes(), full) {
			t.Errorf("%s is no condition", full)
		}
		text, ok := texts(t).Text(string(full), map[string]string{"subject": "kiosk-1.printer", "found": "1"})
		if !ok || text.Advice == "" || text.Detail == text.Title {
			t.Errorf("%s has the texts %+v", full, text)
		}
		if !strings.Contains(string(page), " "+code+": '") {
			t.Errorf("the page has no short name for %s", code)
		}
	}
	for _, full := range health.DeviceCodes() {
		if !slices.Contains(codes, strings.TrimPrefix(string(full), "device_")) {
			t.Errorf("no driver says %s", full)
		}
	}
}
