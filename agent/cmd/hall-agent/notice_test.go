package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// A hall without a network gets its notices on a stick, and takes them by the same rules.
func TestNoticesAreInstalledFromAFile(t *testing.T) {
	path := box(t)
	key, err := gm.GenerateKey()
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(text, "notices:\n  keys: ["+key.Public().String()+"]\n"...), 0o600))
	plan := "schema: 1\nqueues: [{id: A, name: 综合业务}]\nwindows: [{id: \"1\", name: 1号窗口, queues: [A]}]\nscreens: [{id: \"1\", name: 大屏}]\n"
	must(t, os.WriteFile(filepath.Join(filepath.Dir(path), "hall.yaml"), []byte(plan), 0o600))
	words := []byte("停电通知\n明天检修")
	file := func(hall hallsync.HallID, group string, version int64) string {
		now := time.Now().UTC().Truncate(time.Second)
		m := bundle.Manifest{
			Hall: hall, Group: group, Version: version, From: now, Until: now.Add(time.Hour),
			Items: []bundle.Item{{Path: "01.txt", SM3: bundle.DigestOf(words), Size: int64(len(words)), Type: bundle.Text}},
		}
		manifest, sig, err := bundle.Sign(m, key)
		must(t, err)
		var b bytes.Buffer
		must(t, bundle.Write(&b, manifest, sig, m.Items, func(bundle.Item) ([]byte, error) { return words, nil }))
		name := filepath.Join(t.TempDir(), "notices.zip")
		must(t, os.WriteFile(name, b.Bytes(), 0o600))
		return name
	}
	seventh := file("440900000000001", "hall", 7)
	if out, err := say(path, "notice", "install", seventh); err != nil || !strings.Contains(out, "第 7 版") || strings.Contains(out, "没有屏幕") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := say(path, "notice", "install", file("440900000000001", "gate", 7)); err != nil || !strings.Contains(out, "没有 gate 组的屏幕") {
		t.Errorf("for a group that no screen has: %q, %v", out, err)
	}
	for name, want := range map[string]string{
		file("440900000000001", "hall", 6): "更新的公告包", file("440900000000002", "hall", 8): "别的大厅", path: "不是中心发布的公告包", filepath.Dir(path): "不是中心发布的公告包",
	} {
		if _, err := say(path, "notice", "install", name); err == nil || !strings.Contains(explain(err), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := say(path, "notice", "install", filepath.Join(t.TempDir(), "none.zip")); err == nil {
		t.Error("a file that is not there")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
