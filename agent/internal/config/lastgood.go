package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"halledge/agent/kit/strictyaml"
	"halledge/agent/kit/whole"
)

// goodCopy is the content of last-good.json: both files as they were when they last loaded. Secrets are not in it, only
// their references.
type goodCopy struct {
	Site string `json:"agent_yaml"`
	Plan string `json:"hall_yaml"`
}

// LoadOrLastGood loads the configuration. A good one is remembered below dataDir; instead of a bad one the last good one is
// given, with LastGood set. One in which only devices are bad is given as it is, and not remembered: a hall works without a device, and what
// is bad of one must not undo what is right. The problems are those of the files on disk and belong on every page. The error says that there
// is nothing to run with, or (with a configuration) that the copy could not be kept.
//
// An empty dataDir means the directory agent.yaml names, as far as it can be read.
func LoadOrLastGood(path, dataDir string) (*Config, strictyaml.Problems, error) {
	src, problems := readSources(path)
	var c *Config
	if problems.Err() == nil {
		c, problems = src.load()
	}
	if dataDir == "" {
		dataDir = dataDirOf(c, src)
	}
	switch {
	case problems.Err() == nil:
		return c, problems, remember(dataDir, src)
	case c != nil && butDevices(problems).Err() == nil:
		return c, problems, nil
	}
	old, err := recall(dataDir, src)
	if err != nil {
		return nil, problems, fmt.Errorf("configuration is bad and there is no good copy: %w", err)
	}
	old.LastGood = true
	return old, problems, nil
}

func dataDirOf(c *Config, src sources) string {
	if c != nil {
		return c.Site.Data
	}
	site := defaultSite()
	strictyaml.Decode(src.siteFile, src.site, &site)
	return strictyaml.Absolute(src.dir, site.Data)
}

func remember(dataDir string, src sources) error {
	data, err := json.Marshal(goodCopy{Site: string(src.site), Plan: string(src.plan)})
	if err != nil {
		return fmt.Errorf("keep good configuration: %w", err)
	}
	file := lastGoodFile(dataDir)
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), whole.Write(file, data)); err != nil {
		return fmt.Errorf("keep good configuration: %w", err)
	}
	return nil
}

// butDevices leaves out what is wrong with a device that can be told from the others: it is not driven, and says so.
func butDevices(problems strictyaml.Problems) (others strictyaml.Problems) {
	for _, p := range problems {
		if !strings.HasPrefix(p.Path, "$.devices[") || strings.HasSuffix(p.Path, ".name") {
			others = append(others, p)
		}
	}
	return others
}

// recall loads the copy as if it stood where the files stand, so that references to secrets still work.
func recall(dataDir string, src sources) (*Config, error) {
	data, err := os.ReadFile(lastGoodFile(dataDir))
	if err != nil {
		return nil, err
	}
	var kept goodCopy
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("read %s: %w", lastGoodFile(dataDir), err)
	}
	src.site, src.plan = []byte(kept.Site), []byte(kept.Plan)
	c, problems := src.load()
	return c, butDevices(problems).Err()
}
