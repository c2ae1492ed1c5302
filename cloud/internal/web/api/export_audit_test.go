package api_test

import (
	"encoding/csv"
	"encoding/json"
	"go/ast"
	"go/parser"
	source "go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"halledge/cloud/internal/store"
)

// The audit leaves as a table in which nothing is a formula, and who took it away stands in it.
func TestThreat35TheAuditIsExportedAsText(t *testing.T) {
	f := begin(t)
	hostile := []string{`=HYPERLINK("http://evil.example","x")`, "+1", "-1", "@SUM(A1)", "\tx", `a"b,c` + "\nd", "'; DROP TABLE audit; --"}
	must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
		for _, text := range hostile {
			if err := tx.AddAudit(store.Audit{At: start, Actor: text, By: "password", Action: store.ActionWatch, Subject: text, Result: "ok"}); err != nil {
				return err
			}
		}
		return nil
	}))
	a := f.do(http.MethodGet, "/api/v1/audit/export?id=991101199003070016&action=watch&action=%0a&from=2026-11-23&=;", "", asAdmin)
	text, marked := strings.CutPrefix(string(a.body), "\ufeff")
	if a.status != http.StatusOK || !marked {
		t.Fatalf("%d %s", a.status, a.body)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(t, err)
	if len(rows) != len(hostile)+1 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows[1:] {
		want := hostile[len(hostile)-1-i]
		if strings.TrimPrefix(row[6], "'") != strings.TrimPrefix(want, "'") {
			t.Errorf("%q, want %q", row[6], want)
		}
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("%q is a formula", cell)
			}
		}
	}
	var page struct {
		Items []struct{ Action, Subject, User string }
		Total int
	}
	must(t, json.Unmarshal(f.do(http.MethodGet, "/api/v1/audit?action=audit_export", "", asAdmin).body, &page))
	if page.Total != 1 || page.Items[0].User != "auditor" || page.Items[0].Subject != "action=watch&from=2026-11-23T00%3A00%3A00%2B08%3A00" {
		t.Errorf("%+v", page)
	}
	if a := f.do(http.MethodGet, "/api/v1/audit/export", ""); a.status != http.StatusForbidden {
		t.Errorf("who is no auditor: %d", a.status)
	}
	if a := f.do(http.MethodGet, "/api/v1/audit/export?from=yesterday", "", asAdmin); a.status != http.StatusBadRequest {
		t.Errorf("a bad period: %d", a.status)
	}
}

// A table that is not all of it does not leave: nobody would see it.
func TestTheAuditIsExportedWholeOrNotAtAll(t *testing.T) {
	f := begin(t)
	lines := func(n int) {
		must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
			return tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO audit (at_ms, actor, action, subject, result, remote) SELECT $2, 'many', 'watch', 'c', 'ok', '' FROM n`, n, start.UnixMilli())
		}))
	}
	lines(50_000)
	a := f.do(http.MethodGet, "/api/v1/audit/export?user=many", "", asAdmin)
	if got := strings.Count(string(a.body), "\n"); a.status != http.StatusOK || got != 50_001 {
		t.Errorf("%d, %d lines", a.status, got)
	}
	lines(1)
	if a := f.do(http.MethodGet, "/api/v1/audit/export?user=many", "", asAdmin); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "50001") {
		t.Errorf("one more: %d %.200s", a.status, a.body)
	}
}

// actionsOf gives the values of the constants Action… of package store.
func actionsOf(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../store/*.go")
	must(t, err)
	out := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(source.NewFileSet(), name, nil, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if is && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Action") {
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
					value, err := strconv.Unquote(lit.Value)
					must(t, err)
					out[spec.Names[0].Name] = value
				}
			}
			return true
		})
	}
	return out
}

// Whatever the audit knows of can be asked for, and has a word in the console.
func TestEveryActionCanBeAskedForAndHasAWord(t *testing.T) {
	f := begin(t)
	words, err := os.ReadFile("../console/src/format/words.ts")
	must(t, err)
	actions := actionsOf(t)
	if len(actions) < 20 {
		t.Fatalf("only %d actions", len(actions))
	}
	for name, action := range actions {
		if a := f.do(http.MethodGet, "/api/v1/audit?action="+action, "", asAdmin); a.status != http.StatusOK {
			t.Errorf("store.%s cannot be asked for: %d %s", name, a.status, a.body)
		}
		if !regexp.MustCompile(`(?m)^  ` + action + `: '\p{Han}`).Match(words) {
			t.Errorf("store.%s has no word in the console", name)
		}
	}
}
