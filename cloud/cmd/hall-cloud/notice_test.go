package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
)

// What an operator does: a key, a notice for the halls of a region, a file for one without a network, and the end of it.
func TestNotices(t *testing.T) {
	const hall = "440900000000001"
	s := newSite(t)
	yaml, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	plain := string(yaml) + `halls:
  - code: "` + hall + `"
    name: 一号大厅
    password: $argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24
`
	s.write("cloud.yaml", plain)
	s.write("停电.txt", "停电通知\n明天上午检修，请下午来。\n")
	s.write("page.html", "<p>")
	publish := func(args ...string) []string {
		return append([]string{"notice", "publish", "--until", "2099-01-01"}, args...)
	}
	s.want(command.Failure, "密钥", "", publish("--hall", hall, s.path("停电.txt"))...) // the service makes its own at its first start
	code, out := s.do("", "notice", "key", s.path("content.key"))
	public, err := gm.ParsePublicKey(strings.TrimSpace(out))
	if info, statErr := os.Stat(s.path("content.key")); code != 0 || err != nil || statErr != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("exit %d, %v, %v: %s", code, err, statErr, out)
	}
	s.want(command.Failure, "", "", "notice", "key", s.path("content.key"))
	s.write("cloud.yaml", plain+"notices:\n  key: file:content.key\n")

	s.want(command.Usage, "--region", "", publish(s.path("停电.txt"))...)
	s.want(command.Usage, "440900000000009", "", publish("--hall", "440900000000009", s.path("停电.txt"))...)
	s.want(command.Usage, "看不懂时间", "", "notice", "publish", "--hall", hall, s.path("停电.txt"))
	s.want(command.Usage, "soon", "", "notice", "publish", "--hall", hall, "--until", "soon", s.path("停电.txt"))
	s.want(command.Failure, "page.html", "", publish("--hall", hall, s.path("page.html"))...)
	s.want(command.Failure, "公告包", "", publish("--hall", hall, s.path("停电.txt"))...) // for 73 years
	s.want(command.Usage, "没有公告", "", "notice", "export", hall, s.path("out.zip"))

	until := []string{"notice", "publish", "--until", time.Now().AddDate(0, 1, 0).Format(time.DateOnly), "--region", "4409", s.path("停电.txt")}
	s.want(0, "1 个大厅", "", until...)
	s.want(0, "1 项", "", "notice", "list")
	s.want(0, "", "", "notice", "export", hall, s.path("out.zip"))
	data, err := os.ReadFile(s.path("out.zip"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := bundle.Read(bytes.NewReader(data), int64(len(data)), public)
	if err != nil || a.Manifest.Hall != hall || a.Manifest.Group != "hall" || a.Manifest.Items[0].Type != bundle.Text {
		t.Errorf("%+v, %v", a, err)
	}
	s.want(command.Failure, "", "", "notice", "export", hall, s.path("out.zip")) // it is there
	s.want(0, "1 个大厅", "", "notice", "withdraw", "--hall", hall)
	s.want(0, "0 个大厅", "", "notice", "withdraw", "--hall", hall)
	s.want(0, "撤回于", "", "notice", "list")
}
