package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"halledge/agent/kit/command"
	"halledge/cloud"
)

// asCommand makes the test binary be hall-cloud itself, so that commands are tested as processes.
const asCommand = "HALL_CLOUD_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

// site is a directory with a cloud.yaml.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) site {
	t.Helper()
	s := site{t: t, dir: t.TempDir()}
	s.write("token", "0123456789abcdef")
	s.write("cloud.yaml", `schema: 1
http: {listen: "127.0.0.1:0"}
mqtt: {listen: "127.0.0.1:0"}
media: {rtsp: "127.0.0.1:0", webrtc: "127.0.0.1:0"}
tokens: [{name: test, secret: "file:token"}]
users:
  - name: admin
    password: $argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24
`)
	return s
}

func (s site) path(name string) string { return filepath.Join(s.dir, name) }

func (s site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s site) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), os.Args[0], append(args, "--config", s.path("cloud.yaml"))...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// do runs a command to its end and gives its exit code and what it wrote.
func (s site) do(stdin string, args ...string) (code int, output string) {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// want runs a command that must end with a code and say something.
func (s site) want(code int, says, stdin string, args ...string) {
	s.t.Helper()
	if got, out := s.do(stdin, args...); got != code || !strings.Contains(out, says) {
		s.t.Errorf("%v: exit %d, want %d with %q:\n%s", args, got, code, says, out)
	}
}

func TestUsage(t *testing.T) {
	s := newSite(t)
	s.want(0, "hall-cloud development", "", "version")
	s.want(0, "0 个大厅，1 个用户", "", "check")
	for _, args := range [][]string{{"fly"}, {"run", "now"}, {"backup"}, {"user", "add"}, {"run", "--fast"}, {"journal", "burn"}} {
		s.want(command.Usage, "hall-cloud: ", "", args...)
	}
	for _, help := range [][]string{{}, {"user"}, {"journal"}, {"pki"}} {
		s.want(0, "用法：", "", help...)
	}
}

func TestBadConfigurationSaysWhereAndEndsWithTwo(t *testing.T) {
	s := newSite(t)
	s.write("cloud.yaml", "schema: 1\nmqtt: {listen: \":1883\"}\nzone: Nowhere\n")
	for _, args := range [][]string{{"check"}, {"run"}, {"rebuild"}, {"backup", s.path("b")}, {"user", "add", "li"}} {
		s.want(command.Usage, "cloud.yaml:2:16: ", "", args...)
		s.want(command.Usage, "cloud.yaml:3:7: ", "", args...)
	}
	if _, err := os.Stat(s.path("cloud.db")); err == nil {
		t.Error("a database was made")
	}
}

// What is unwise and can be used is said by check and at the start, and stops neither.
func TestWideNetworkOfProxiesIsPointedAt(t *testing.T) {
	s := newSite(t)
	raw, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("cloud.yaml", strings.Replace(string(raw), `http: {listen: "127.0.0.1:0"}`, `http: {listen: "127.0.0.1:0", proxies: [0.0.0.0/0]}`, 1))
	const sentence = "网段“0.0.0.0/0”太大：里面的任何人都能用 X-Forwarded-For 冒充别的地址"
	s.want(0, sentence, "", "check")
	r := s.run()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil || !strings.Contains(r.log.String(), sentence) {
		t.Errorf("ended with %v:\n%s", err, r.log)
	}
}

func TestPasswords(t *testing.T) {
	s := newSite(t)
	s.want(0, "$argon2id$v=19$", "a long enough word\n", "hash")
	s.want(command.Usage, "至少要 10 个字符", "short\n", "hash")
	s.want(command.Usage, "太常见", "Password123\n", "hash")
	s.want(command.Usage, "太常见", "lisi123456\n", "user", "add", "lisi")
	s.want(command.Usage, "至少要 10 个字符", strings.Repeat("x", 300), "hash")
	s.want(command.Usage, "不能作用户名", "a long enough word\n", "user", "add", "Li")
	s.want(command.Usage, "cloud.yaml", "a long enough word\n", "user", "add", "admin")
	s.want(command.Usage, "至少要 10 个字符", "", "user", "add", "li")
	s.want(command.Usage, "viewer, clerk, manager, maintainer, auditor, video, admin", "a long enough word\n", "user", "add", "li", "--role", "boss")
}

func TestUsersAreDisabledAndEnabled(t *testing.T) {
	s := newSite(t)
	for _, verb := range []string{"disable", "enable"} {
		s.want(command.Failure, "没有名为“li”的用户", "", "user", verb, "li")
		s.want(command.Usage, "cloud.yaml", "", "user", verb, "admin")
		s.want(command.Usage, "不能作用户名", "", "user", verb, "Li")
		s.want(command.Usage, "hall-cloud: ", "", "user", verb)
	}
	s.want(command.Usage, "不行", "", "user", "role", "li", "boss")
	s.want(command.Usage, "不是大厅编码的开头", "", "user", "scope", "li", "44x")
	s.want(command.Usage, "cloud.yaml", "", "user", "role", "admin", "viewer")
	s.want(command.Failure, "没有名为“ghost”的用户", "", "user", "totp-reset", "ghost")
	r := s.run()
	s.want(0, "", "a long enough word\n", "user", "add", "li", "--full-name", "李四", "--role", "admin")
	for _, c := range []struct {
		args []string
		list string
		code int
	}{
		{[]string{"user", "disable", "li"}, "admin         all  停用  只有密码  命令添加  李四", http.StatusUnauthorized},
		{[]string{"user", "enable", "li"}, "admin         all  启用  只有密码  命令添加  李四", http.StatusCreated},
		{[]string{"user", "add", "li"}, "admin         all  启用", http.StatusCreated}, // another password, the same role
		{[]string{"user", "add", "li", "--role", "viewer"}, "viewer        all  启用", http.StatusCreated},
		{[]string{"user", "role", "li", "video,auditor"}, "auditor,video  all  启用", http.StatusCreated},
		{[]string{"user", "scope", "li", "4409,440981,4401"}, "auditor,video  4401,4409  启用", http.StatusCreated},
		{[]string{"user", "totp-reset", "li"}, "4401,4409  启用  只有密码", http.StatusCreated},
	} {
		s.want(0, "", "a long enough word\n", c.args...)
		s.want(0, c.list, "", "user", "list")
		if code := s.signIn(r, "li", "a long enough word"); code != c.code {
			t.Errorf("%v: sign in %d, want %d", c.args, code, c.code)
		}
	}
	s.want(0, "admin  viewer,video   all        启用  只有密码  配置文件", "", "user", "list")
}

// running is a hall-cloud run.
type running struct {
	cmd  *exec.Cmd
	log  *bytes.Buffer
	addr cloud.Addresses
}

func (s site) run() *running {
	s.t.Helper()
	r := &running{cmd: s.command("run", "--ready-file", s.path("ready.json")), log: &bytes.Buffer{}}
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	deadline := time.Now().Add(patience)
	for {
		raw, err := os.ReadFile(s.path("ready.json"))
		if err == nil {
			if err := json.Unmarshal(raw, &r.addr); err != nil {
				s.t.Fatal(err)
			}
			return r
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not ready:\n%s", r.log)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s site) signIn(r *running, user, password string) int {
	s.t.Helper()
	body, err := json.Marshal(map[string]string{"user": user, "password": password})
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.Post("http://"+r.addr.HTTP+"/api/v1/session", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestVerifyEndsWithOneWhenBytesHaveChanged(t *testing.T) {
	s := newSite(t)
	s.want(0, "0 条事实", "", "journal", "verify")
	db, err := sql.Open("sqlite", s.path("cloud.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `
		INSERT INTO events (hall, epoch, seq, kind, v, at_ms, received_ms, hash, refused, body)
		VALUES ('440900000000001', 'e', 1, 'x', 1, 0, 0, x'0000000000000000', '', '{}');
		INSERT INTO cursors (hall, epoch, ordinal, contiguous, highest, refused, gone, stale, received_ms, created_ms)
		VALUES ('440900000000001', 'e', 1, 2, 2, 0, 0, 0, 0, 0)`); err != nil {
		t.Fatal(err)
	}
	s.want(command.Failure, "序号 1：内容和散列不符", "", "journal", "verify")
	s.want(command.Failure, "序号 2：缺失", "", "journal", "verify")
}

func TestServiceFromBeginToEnd(t *testing.T) {
	s := newSite(t)
	s.want(command.Usage, "不行", "", "user", "role", "li", "boss")
	s.want(command.Usage, "不是大厅编码的开头", "", "user", "scope", "li", "44x")
	s.want(command.Usage, "cloud.yaml", "", "user", "role", "admin", "viewer")
	s.want(command.Failure, "没有名为“ghost”的用户", "", "user", "totp-reset", "ghost")
	r := s.run()
	s.want(0, "", "a long enough word\n", "user", "add", "li", "--full-name", "李四")
	if code := s.signIn(r, "li", "a long enough word"); code != http.StatusCreated {
		t.Errorf("sign in after user add: %d", code)
	}
	s.want(0, "0 条事实", "", "journal", "verify")
	s.want(0, "", "", "backup", s.path("backup.db"))
	s.want(command.Failure, "", "", "backup", s.path("backup.db")) // never over a file
	for _, args := range [][]string{{"rebuild"}, {"restore", s.path("backup.db")}, {"run"}} {
		s.want(command.Failure, "正在使用这个数据库", "", args...)
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Fatalf("ended with %v:\n%s", err, r.log)
	}
	if !strings.Contains(r.log.String(), "cloud ends") || strings.Contains(r.log.String(), "a long enough word") {
		t.Errorf("log:\n%s", r.log)
	}
	s.want(0, "0 条事实", "", "rebuild")
	s.want(0, "before-restore", "", "restore", s.path("backup.db"))
	s.want(0, "没有问题", "", "journal", "verify", "--audit")
	s.want(command.Failure, "", "", "restore", s.path("nothing.db"))
	s.write("half.db", "SQLite format 3")
	s.want(command.Failure, "损坏或不完整", "", "restore", s.path("half.db"))
	s.want(command.Failure, "不是本程序的备份文件", "", "restore", s.path("cloud.db"))
	if err := os.Remove(s.path("ready.json")); err != nil {
		t.Fatal(err)
	}
	r = s.run()
	if code := s.signIn(r, "li", "a long enough word"); code != http.StatusCreated {
		t.Errorf("sign in after restore: %d", code)
	}
}
