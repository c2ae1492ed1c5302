package config

import (
	"errors"
	"testing"

	"github.com/goccy/go-yaml"
)

// hall3 is a made-up third schema: 1 had "title", 2 renamed it to "label", 3 to "name".
type hall3 struct {
	Schema int    `yaml:"schema"`
	Name   string `yaml:"name"`
	Floor  int    `yaml:"floor"`
}

func rename(from, to string) step {
	return func(keys yaml.MapSlice) (yaml.MapSlice, error) {
		for i := range keys {
			if keys[i].Key == from {
				keys[i].Key = to
				return keys, nil
			}
		}
		return nil, errors.New("no " + from)
	}
}

func TestOldSchemasAreMigrated(t *testing.T) {
	steps := []step{rename("title", "label"), rename("label", "name")}
	for _, text := range []string{
		"schema: 1\ntitle: 厅\nfloor: 2\n",
		"schema: 2\nlabel: 厅\nfloor: 2\n",
		"schema: 3\nname: 厅\nfloor: 2\n",
	} {
		var got hall3
		doc := decode("h.yaml", []byte(text), &got, steps)
		if len(doc.Problems) != 0 || got != (hall3{Schema: 3, Name: "厅", Floor: 2}) {
			t.Errorf("%q: %+v, %v", text, got, doc.Problems)
		}
	}
}

func TestSchemasThatCannotBeRead(t *testing.T) {
	steps := []step{rename("title", "label"), rename("label", "name")}
	for text, want := range map[string]string{
		"schema: 1\nfloor: 2\n":        "h.yaml:1:9: config_migration reason=\"step 1: no title\" value=\"1\"",
		"schema: 2\nfloor: 2\n":        "h.yaml:1:9: config_migration reason=\"step 2: no label\" value=\"2\"",
		"schema: 4\nname: x\nnew: y\n": "h.yaml:1:9: config_schema_new known=\"3\" value=\"4\"",
		"schema: 0\nname: x\n":         "h.yaml:1:9: config_schema_new known=\"3\" value=\"0\"",
		"name: x\n":                    "h.yaml:1:1: config_missing key=\"schema: 3\"",
		"schema: one\nname: x\n":       "h.yaml:1:9: config_want_integer",
		"schema: 2\nlabel: x\nwide: 1": "h.yaml:3:1: config_unknown_key allowed=\"schema, name, floor\" key=\"wide\"",
		"schema: [1\nname: x\n":        "h.yaml:2:1: config_syntax reason=\"',' or ']' must be specified\"",
	} {
		var got hall3
		if doc := decode("h.yaml", []byte(text), &got, steps); doc.Problems.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, doc.Problems, want)
		}
	}
}
