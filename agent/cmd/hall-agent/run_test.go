package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who starts a hall with a bad configuration and no good one from before is told so in his language.
func TestRunSaysThatThereIsNoGoodConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte("schema: 1\nhall: nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := say(path, "run")
	wantCode(t, err, string(codeNothingGood))
	if err != nil && !strings.Contains(explain(err), "没有上一次能用的配置") {
		t.Errorf("%q", explain(err))
	}
}

// A plan that names what no configuration has any of gets a whole sentence.
func TestCheckSaysThatThereIsNoneYet(t *testing.T) {
	path := box(t)
	plan := filepath.Join(filepath.Dir(path), "hall.yaml")
	text, err := os.ReadFile(plan)
	if err == nil {
		err = os.WriteFile(plan, append(text, "kiosks: [{id: \"1\", name: 取号机, printer: kiosk-1.printer}]\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	said := complaints(path)
	if !strings.Contains(said, "没有打印机“kiosk-1.printer”。agent.yaml 里的打印机：无。") || strings.Contains(said, "：。") {
		t.Error(said)
	}
}

// complaints gives what check says is wrong.
func complaints(path string) string {
	var stderr bytes.Buffer
	cmd := root()
	cmd.SetArgs([]string{"--config", path, "check"})
	cmd.SetOut(io.Discard)
	cmd.SetErr(&stderr)
	_ = cmd.Execute() // it fails: something is wrong
	return stderr.String()
}
