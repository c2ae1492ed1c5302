package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"halledge/agent/kit/command"
	"halledge/firmware-protocols/hallsync"
)

func TestRootsAndCodes(t *testing.T) {
	const hall = "440900000000001"
	s := newSite(t)
	yaml, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("cloud.yaml", string(yaml)+`halls:
  - code: "`+hall+`"
    name: 一号大厅
    password: $argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24
`)
	for _, args := range [][]string{{"pki", "show"}, {"enroll-code", hall}} {
		s.want(command.Failure, "hall-cloud pki init", "", args...)
	}
	if _, err := os.Stat(s.path("pki")); !os.IsNotExist(err) {
		t.Errorf("who only looks made the directory: %v", err)
	}
	s.want(0, "HallEdge Root SM2", "", "pki", "init")
	_, shown := s.do("", "pki", "show")
	s.want(0, shown, "", "pki", "init")
	r := s.run() // codes are made while the service runs
	code, out := s.do("", "enroll-code", hall, "--serial", "SN-1", "--valid", "30m")
	if c, err := hallsync.ParseEnrolCode(out); code != 0 || err != nil || c.Hall != hall || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	if _, again := s.do("", "enroll-code", hall); again == out {
		t.Error("two codes are one")
	}
	s.want(command.Usage, "440900000000002", "", "enroll-code", "440900000000002")
	s.want(command.Usage, "", "", "enroll-code")
	s.want(command.Usage, "", "", "enroll-code", hall, "--valid", "soon")
	s.want(command.Failure, "30 天", "", "enroll-code", hall, "--valid", "721h")
	s.want(command.Failure, "64 个字母", "", "enroll-code", hall, "--serial", "a b")
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil || strings.Contains(r.log.String(), out) { // it writes the log until then
		t.Errorf("the service ended with %v, or the code is in its log", err)
	}
	if err := os.Chmod(s.path("pki/sm2.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	s.want(command.Failure, "0600", "", "pki", "show")
}
