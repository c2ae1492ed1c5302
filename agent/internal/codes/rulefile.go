package codes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"halledge/agent/internal/config"
	"halledge/agent/kit/strictyaml"
	"halledge/agent/kit/whole"
)

// BadPattern is a regular expression that is none. Its arguments are value and reason.
const BadPattern strictyaml.Code = "config_pattern"

// Bounds of a file of rules.
const (
	ruleSchema = 1
	maxRules   = 100
	maxHosts   = 50
	maxPart    = 200 // characters of a prefix, a pattern or a host
)

// ruleFile is codes.yaml.
type ruleFile struct {
	Schema int `yaml:"schema"`
	Rules  []struct {
		Kind    string   `yaml:"kind"`
		Prefix  string   `yaml:"prefix"`
		Hosts   []string `yaml:"hosts"`
		Pattern string   `yaml:"pattern"`
	} `yaml:"rules"`
}

// LoadRules reads a file of rules. When the problems are an error there are no rules; data are the file's bytes.
func LoadRules(file string) (rules []Rule, data []byte, problems strictyaml.Problems) {
	data, err := strictyaml.ReadFile(file)
	if err != nil {
		return nil, nil, strictyaml.Problems{{
			File: file, Line: 1, Col: 1, Path: "$", Code: config.Unreadable, Args: map[string]string{"reason": err.Error()},
		}}
	}
	rules, problems = parseRules(file, data)
	return rules, data, problems
}

func parseRules(file string, data []byte) ([]Rule, strictyaml.Problems) {
	var from ruleFile
	doc := strictyaml.Decode(file, data, &from)
	at := func(path string, code strictyaml.Code, args ...string) {
		named := map[string]string{}
		for i := 0; i+1 < len(args); i += 2 {
			named[args[i]] = args[i+1]
		}
		doc.At(path, code, named)
	}
	if from.Schema != ruleSchema {
		at("$.schema", config.SchemaNew, "value", strconv.Itoa(from.Schema), "known", strconv.Itoa(ruleSchema))
	}
	if len(from.Rules) > maxRules {
		at("$.rules", strictyaml.OutOfRange, "value", strconv.Itoa(len(from.Rules)), "low", "0", "high", strconv.Itoa(maxRules))
		return nil, doc.Problems
	}
	kinds := []string{string(KindAppointment), string(KindYSS), string(KindYSH), string(kindVillage), string(kindForeign)}
	var rules []Rule
	for i, f := range from.Rules {
		path := fmt.Sprintf("$.rules[%d]", i)
		rule := Rule{Kind: Kind(f.Kind), Prefix: f.Prefix}
		if !slices.Contains(kinds, f.Kind) {
			at(path+".kind", strictyaml.NotAllowed, "value", f.Kind, "allowed", strings.Join(kinds, ", "))
		}
		if f.Prefix == "" && f.Pattern == "" && len(f.Hosts) == 0 {
			at(path+".prefix", strictyaml.Missing, "key", "prefix")
		}
		short := func(where, text string) {
			if utf8.RuneCountInString(text) > maxPart {
				at(where, strictyaml.TooLong, "limit", strconv.Itoa(maxPart))
			}
		}
		short(path+".prefix", f.Prefix)
		short(path+".pattern", f.Pattern)
		if len(f.Hosts) > maxHosts {
			at(path+".hosts", strictyaml.OutOfRange, "value", strconv.Itoa(len(f.Hosts)), "low", "0", "high", strconv.Itoa(maxHosts))
		}
		for k, host := range f.Hosts {
			where := fmt.Sprintf("%s.hosts[%d]", path, k)
			short(where, host)
			if hostOf("https://"+host+"/") != strings.ToLower(host) || host == "" {
				at(where, config.Address, "value", host)
			}
			rule.Hosts = append(rule.Hosts, strings.ToLower(host))
		}
		if f.Pattern != "" {
			if _, err := regexp.Compile(f.Pattern); err != nil {
				at(path+".pattern", BadPattern, "value", f.Pattern, "reason", err.Error())
			} else if rule.Pattern, err = regexp.Compile(`\A(?:` + f.Pattern + `)\z`); err != nil {
				at(path+".pattern", BadPattern, "value", f.Pattern, "reason", err.Error())
			}
		}
		rules = append(rules, rule)
	}
	if doc.Problems.Err() != nil {
		return nil, doc.Problems
	}
	return rules, doc.Problems
}

// goodRules is where the last good file of rules is kept below the data directory.
func goodRules(dataDir string) string { return filepath.Join(dataDir, "config", "codes.yaml") }

// recallRules reads the last good file.
func recallRules(dataDir string) ([]Rule, error) {
	rules, _, problems := LoadRules(goodRules(dataDir))
	return rules, problems.Err()
}

// keepRules remembers a good file.
func keepRules(dataDir string, data []byte) error {
	file := goodRules(dataDir)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return whole.Write(file, data)
}
