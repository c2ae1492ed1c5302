package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"halledge/agent/kit/strictyaml"
)

// Config is everything the agent is told. All paths in it are absolute.
type Config struct {
	Site     Site
	Plan     Plan
	Dir      string // directory of agent.yaml
	LastGood bool   // the files on disk are bad; this is the last good copy of them
}

// Load reads agent.yaml at path and the hall.yaml it names. The problems hold warnings too; when Problems.Err is not nil the
// configuration is incomplete and only good for showing what could be read.
func Load(path string) (*Config, strictyaml.Problems) {
	src, problems := readSources(path)
	if problems.Err() != nil {
		return &Config{Site: defaultSite(), Plan: defaultPlan(), Dir: src.dir}, problems
	}
	return src.load()
}

// WithPlan gives a copy of c with another hall.yaml, checked against the devices and tokens of the site.
func (c *Config) WithPlan(file string, data []byte) (*Config, strictyaml.Problems) {
	next := *c
	plan, doc := decodePlan(file, data)
	next.Plan = plan
	if doc.Problems.Err() == nil {
		check := &checker{doc: doc, dir: c.Dir}
		check.siteFits(&next.Site, &next.Plan)
		check.hardware(&next.Site, &next.Plan)
	}
	return &next, doc.Problems
}

// sources are the two files as they stand on disk.
type sources struct {
	dir, siteFile, planFile string
	site, plan              []byte
}

func readSources(path string) (sources, strictyaml.Problems) {
	full, err := filepath.Abs(path)
	if err != nil {
		full = path
	}
	src := sources{dir: filepath.Dir(full), siteFile: full}
	if src.site, err = readFile(full); err != nil {
		return src, unreadable(full, err)
	}
	site := defaultSite()
	strictyaml.Decode(full, src.site, &site) // only for where the plan is; load finds the problems
	src.planFile = strictyaml.Absolute(src.dir, site.Plan)
	if src.plan, err = readFile(src.planFile); err != nil {
		_, doc := decodeSite(full, src.site, src.dir)
		doc.At("$.plan", Unreadable, map[string]string{"reason": reasonOf(err)})
		return src, doc.Problems
	}
	return src, nil
}

// readFile reads at most what Decode will take, so that a wrong path cannot fill the memory.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if info.Size() > strictyaml.MaxBytes {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("file is too large")}
	}
	return os.ReadFile(path)
}

func unreadable(file string, err error) strictyaml.Problems {
	return strictyaml.Problems{{
		File: file, Line: 1, Col: 1, Path: "$", Code: Unreadable, Args: map[string]string{"reason": reasonOf(err)},
	}}
}

// reasonOf leaves out the path, which the problem shows already.
func reasonOf(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path + ": " + p.Err.Error()
	}
	return err.Error()
}

func (src sources) load() (*Config, strictyaml.Problems) {
	c := &Config{Dir: src.dir}
	site, siteDoc := decodeSite(src.siteFile, src.site, src.dir)
	plan, planDoc := decodePlan(src.planFile, src.plan)
	c.Site, c.Plan = site, plan
	if planDoc.Problems.Err() == nil { // else every reference to a window would be reported as well
		check := &checker{doc: siteDoc, dir: src.dir}
		check.siteFits(&c.Site, &c.Plan)
		if siteDoc.Problems.Err() == nil { // and every reference to a device here
			check.doc = planDoc
			check.hardware(&c.Site, &c.Plan)
		}
	}
	return c, append(siteDoc.Problems, planDoc.Problems...)
}

func decodeSite(file string, data []byte, dir string) (Site, *strictyaml.Document) {
	site := defaultSite()
	doc := decode(file, data, &site, siteSteps())
	site.fill(dir)
	check := &checker{doc: doc, dir: dir}
	check.site(&site)
	return site, doc
}

func decodePlan(file string, data []byte) (Plan, *strictyaml.Document) {
	plan := defaultPlan()
	doc := decode(file, data, &plan, planSteps())
	plan.fill()
	check := &checker{doc: doc}
	check.plan(&plan)
	return plan, doc
}
