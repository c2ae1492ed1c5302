package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"halledge/test/demo"
)

// A command that people are told to use: its program, the words after it, and its flags.
var (
	named  = regexp.MustCompile("(hall-agent|hall-cloud|hall-sim)((?: [a-z][a-z-]*)+)((?: --?[a-z][a-z-]*(?: [^ `，。；）#-][^ `，。；）]*)?)*)")
	flag   = regexp.MustCompile(`--[a-z][a-z-]*`)
	making = regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)")
	target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	code   = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
)

// Nobody is told to use a command that does not exist: neither by a message nor by a sample nor by the documents.
func TestCommandsThatAreNamedExist(t *testing.T) {
	t.Parallel()
	d := &demo.Demo{Bin: demo.Programs(t)}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range target.FindAllSubmatch(makefile, -1) {
		targets[string(m[1])] = true
	}
	help := map[string]string{}
	found := 0
	for place, text := range told(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			found++
			words := strings.Fields(m[1] + m[2])
			if next := words[1]; next == "hall-agent" || next == "hall-cloud" { // a user's name before a program's
				words = words[1:]
			}
			usage := resolve(t, d, help, words)
			if usage == "" {
				t.Errorf("%s tells to use %q, which there is not", place, m[0])
			}
			for _, f := range flag.FindAllString(m[3], -1) {
				if !strings.Contains(usage, f+" ") {
					t.Errorf("%s tells to use %q, which has no %s", place, m[0], f)
				}
			}
		}
		for _, m := range making.FindAllStringSubmatch(text, -1) {
			found++
			if !targets[m[1]] {
				t.Errorf("%s tells to use make %s, which there is not", place, m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d commands found: does the search still work?", found)
	}
}

// told gives what people are told, by file: all of the data, and the code in the documents.
func told(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, root := range []string{"../../configs", "../../packaging/docs", "../../README.md"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			switch filepath.Ext(path) {
			case ".yaml":
				all[path] = string(raw)
			case ".md":
				all[path] = strings.Join(code.FindAllString(string(raw), -1), "\n")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// resolve gives the help of a command, or "" if there is none. What follows a command without commands of its own is an argument.
func resolve(t *testing.T, d *demo.Demo, help map[string]string, words []string) string {
	t.Helper()
	usage := ""
	for n := 2; n <= len(words); n++ {
		if n > 2 && !strings.Contains(usage, "\n命令：") {
			break
		}
		line := strings.Join(words[:n], " ")
		if _, asked := help[line]; !asked {
			out, err := d.Run(words[0], append(words[1:n:n], "--help")...)
			if err != nil || !strings.Contains(out, "\n  "+line) {
				out = ""
			}
			help[line] = out
		}
		if usage = help[line]; usage == "" {
			return ""
		}
	}
	return usage
}
