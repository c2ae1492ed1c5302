package config

import (
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml"

	"halledge/agent/kit/strictyaml"
)

// step turns a file of one schema into the next one: steps[0] turns schema 1 into 2. A step works on the ordered keys of the
// file; it may fail on a value it cannot carry over. The file on disk stays as it is.
type step func(yaml.MapSlice) (yaml.MapSlice, error)

// Both files have schema 1. The first change that an old file would not survive adds a step here and its old sample to the
// tests.
func siteSteps() []step { return nil }
func planSteps() []step { return nil }

// decode reads a file of any known schema into the newest types.
func decode(file string, data []byte, into any, steps []step) *strictyaml.Document {
	var head struct {
		Schema int `yaml:"schema"`
	}
	headDoc := strictyaml.Decode(file, data, &head)
	known := len(steps) + 1
	switch {
	case !headDoc.Has("$"):
		return headDoc
	case !headDoc.Has("$.schema"):
		doc := strictyaml.Decode(file, data, into)
		doc.At("$.schema", strictyaml.Missing, map[string]string{"key": "schema: " + strconv.Itoa(known)})
		return doc
	case head.Schema > known:
		headDoc.Problems = nil // keys of a later time are no faults
		headDoc.At("$.schema", SchemaNew, map[string]string{"value": strconv.Itoa(head.Schema), "known": strconv.Itoa(known)})
		headDoc.GiveUp()
		return headDoc
	case head.Schema >= 1 && head.Schema < known:
		newest, err := migrate(data, steps[head.Schema-1:], known)
		if err != nil {
			headDoc.Problems = nil
			headDoc.At("$.schema", Migration, map[string]string{"value": strconv.Itoa(head.Schema), "reason": err.Error()})
			headDoc.GiveUp()
			return headDoc
		}
		return strictyaml.Decode(file, newest, into)
	}
	doc := strictyaml.Decode(file, data, into)
	if head.Schema < 1 && doc.Problems.Err() == nil {
		doc.At("$.schema", SchemaNew, map[string]string{"value": strconv.Itoa(head.Schema), "known": strconv.Itoa(known)})
	}
	return doc
}

func migrate(data []byte, steps []step, known int) ([]byte, error) {
	var keys yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(data, &keys, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("read the old file: %w", err)
	}
	for i, next := range steps {
		var err error
		if keys, err = next(keys); err != nil {
			return nil, fmt.Errorf("step %d: %w", known-len(steps)+i, err)
		}
	}
	for i := range keys {
		if keys[i].Key == "schema" {
			keys[i].Value = known
		}
	}
	return yaml.Marshal(keys)
}
