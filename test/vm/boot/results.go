package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// results gathers what a test program says of its tests.
type results struct {
	out    io.Writer
	passed map[string]bool
	whole  bool     // the program came to its own good end
	said   []string // since the last result
}

// take reads one line.
func (r *results) take(line string) {
	trimmed := strings.TrimLeft(line, " ")
	outcome, rest, found := strings.Cut(strings.TrimPrefix(trimmed, "--- "), ": ")
	switch {
	case line == "guest ends with 0":
		r.whole = true
	case strings.HasPrefix(line, "guest "):
		fmt.Fprintln(r.out, line)
	case strings.HasPrefix(line, "=== "):
	case !strings.HasPrefix(trimmed, "--- ") || !found:
		r.said = append(r.said, line)
	case outcome == "PASS":
		fmt.Fprintln(r.out, "PASS", rest)
		for _, text := range r.said {
			if strings.Contains(text, "_test.go:") { // what was measured
				fmt.Fprintln(r.out, text)
			}
		}
		r.said = nil
		if r.passed == nil {
			r.passed = map[string]bool{}
		}
		name, _, _ := strings.Cut(rest, " ")
		r.passed[name] = true
	default:
		fmt.Fprintln(r.out, outcome, rest)
		r.tell()
	}
}

// tell prints what was said since the last result.
func (r *results) tell() {
	for _, text := range r.said {
		fmt.Fprintln(r.out, "    "+text)
	}
	r.said = nil
}

// verdict fails unless every wanted test has passed and the program ended well.
func (r *results) verdict(want []string) error {
	var all []error
	for _, name := range want {
		if !r.passed[name] {
			all = append(all, fmt.Errorf("%s has not passed", name))
		}
	}
	if !r.whole {
		all = append(all, errors.New("the test program did not end well"))
		r.tell()
	}
	return errors.Join(all...)
}
