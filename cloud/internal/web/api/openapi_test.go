package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The description is true: what it names exists, answers with the status it says, and in the shape it says.
func TestDescriptionIsTrue(t *testing.T) {
	f := begin(t)
	var doc document
	a := f.do(http.MethodGet, "/api/v1/openapi.json", "", anonymous)
	if a.status != http.StatusOK || json.Unmarshal(a.body, &doc) != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Version != "1.2.3" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	requests := map[string]struct{ path, body string }{
		"describe": {path: "/api/v1/openapi.json"}, "signIn": {path: "/api/v1/session", body: `{"user":"li","password":"right"}`},
		"whoAmI": {path: "/api/v1/session"}, "signOut": {path: "/api/v1/session"}, "listHalls": {path: "/api/v1/halls"},
		"getHall": {path: "/api/v1/halls/" + string(hallA)}, "listTickets": {path: "/api/v1/tickets?hall=" + string(hallA)},
		"listFacts": {path: "/api/v1/facts?hall=" + string(hallA)}, "listCameras": {path: "/api/v1/cameras"}, "listAudit": {path: "/api/v1/audit"},
		"listUsers": {path: "/api/v1/users"}, "addUser": {path: "/api/v1/users", body: `{"name":"wu","full_name":"吴五","password":"a long enough word","roles":["viewer"],"scope":["4409"]}`},
		"changeUser": {path: "/api/v1/users/li", body: `{"full_name":"李小四"}`}, "setPassword": {path: "/api/v1/users/li/password", body: `{"password":"a long enough word"}`},
		"resetSecondFactor": {path: "/api/v1/users/li/second-factor"}, "signInWays": {path: "/api/v1/session/ways"},
		"listNotices": {path: "/api/v1/notices"}, "listNoticeGroups": {path: "/api/v1/notices/groups"}, "getNotice": {path: "/api/v1/notices/" + string(hallA) + "/hall"},
		"publishNotice": {path: "/api/v1/notices", body: notice(`{"title":"停电通知"}`)}, "withdrawNotice": {path: "/api/v1/notices/withdrawals", body: `{"halls":["` + string(hallA) + `"],"group":"hall"}`},
	}
	f.do(http.MethodPost, "/api/v1/notices", notice(`{"title":"停电通知"}`)) // getNotice wants one
	seen := 0
	elsewhere := []string{"stream", "leaveForPlatform", "arriveFromPlatform", "exportAudit", "getNoticeItem"} // see TestStream, TestThreat35TheAuditIsExportedAsText, TestANoticeIsPublished, and TestPeopleComeThroughThePlatform of package cloud
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {                                                // li signs in before he gets another password
		for method, op := range doc.Paths[path] {
			if slices.Contains(elsewhere, op.ID) || strings.Contains(path, "/account/") {
				seen++
				continue // a program has no account, see TestOwnAccount
			}
			q, known := requests[op.ID]
			if !known {
				t.Errorf("no request for %s %s (%s)", method, path, op.ID)
				continue
			}
			seen++
			a := f.do(strings.ToUpper(method), q.path, q.body, asAdmin)
			want, described := op.Responses[fmt.Sprint(a.status)]
			if !described || a.status >= 300 {
				t.Errorf("%s: status %d is not in the description: %s", op.ID, a.status, a.body)
				continue
			}
			if schema := want.Content["application/json"].Schema; schema != nil {
				for _, fault := range doc.check(schema, a.value(t), op.ID) {
					t.Error(fault)
				}
			} else if len(a.body) != 0 {
				t.Errorf("%s: a body that is not described: %s", op.ID, a.body)
			}
		}
	}
	if seen != len(requests)+8 {
		t.Errorf("%d operations described, want %d", seen, len(requests)+8)
	}
}

func TestRefusalsAreDescribed(t *testing.T) {
	f := begin(t)
	var doc document
	if err := json.Unmarshal(f.do(http.MethodGet, "/api/v1/openapi.json", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	for id, c := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
	}{
		"whoAmI":      {method: http.MethodGet, path: "/api/v1/session", change: anonymous},
		"getHall":     {method: http.MethodGet, path: "/api/v1/halls/440900000000009"},
		"listHalls":   {method: http.MethodGet, path: "/api/v1/halls?page=0"},
		"listTickets": {method: http.MethodGet, path: "/api/v1/tickets"},
		"listFacts":   {method: http.MethodGet, path: "/api/v1/facts?hall=440900000000009"},
		"listAudit":   {method: http.MethodGet, path: "/api/v1/audit"},
		"signIn":      {method: http.MethodPost, path: "/api/v1/session", body: `{"user":"` + strings.Repeat("x", 70<<10) + `"}`},
	} {
		change := c.change
		if change == nil {
			change = func(*http.Request) {}
		}
		a := f.do(c.method, c.path, c.body, change)
		response, described := doc.operation(t, id).Responses[fmt.Sprint(a.status)]
		if a.status < 400 || !described {
			t.Errorf("%s: status %d is not in the description", id, a.status)
			continue
		}
		for _, fault := range doc.check(response.Content["application/problem+json"].Schema, a.value(t), id) {
			t.Error(fault)
		}
	}
}

func (a answer) value(t *testing.T) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

type document struct {
	OpenAPI    string
	Info       struct{ Version string }
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]map[string]any }
}

type operation struct {
	ID        string `json:"operationId"`
	Responses map[string]struct {
		Content map[string]struct{ Schema map[string]any }
	}
}

func (d document) operation(t *testing.T, id string) operation {
	t.Helper()
	for _, operations := range d.Paths {
		for _, op := range operations {
			if op.ID == id {
				return op
			}
		}
	}
	t.Fatalf("%s is not described", id)
	return operation{}
}

// check compares a value with a schema, as far as the description uses JSON Schema.
func (d document) check(schema map[string]any, v any, at string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		named, there := d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if !there {
			return []string{at + ": " + ref + " is not there"}
		}
		return d.check(named, v, at)
	}
	if choices, ok := schema["anyOf"].([]any); ok {
		for _, s := range choices {
			if len(d.check(s.(map[string]any), v, at)) == 0 {
				return nil
			}
		}
		return []string{fmt.Sprintf("%s: %v is none of the choices", at, v)}
	}
	if kinds := kindsOf(schema); kinds != nil && !slices.Contains(kinds, kindOf(v)) {
		return []string{fmt.Sprintf("%s: %v is not %v", at, v, kinds)}
	}
	var faults []string
	switch v := v.(type) {
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, item := range v {
			faults = append(faults, d.check(items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, value := range v {
			if p, ok := properties[name].(map[string]any); ok {
				faults = append(faults, d.check(p, value, at+"."+name)...)
			} else if schema["additionalProperties"] == false {
				faults = append(faults, at+"."+name+" is not described")
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, there := v[name.(string)]; !there {
				faults = append(faults, fmt.Sprintf("%s.%s is missing", at, name))
			}
		}
	}
	return faults
}

func kindsOf(schema map[string]any) []string {
	switch k := schema["type"].(type) {
	case string:
		return []string{k}
	case []any:
		var kinds []string
		for _, kind := range k {
			kinds = append(kinds, kind.(string))
		}
		return kinds
	}
	return nil
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
