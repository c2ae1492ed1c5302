package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"halledge/agent/kit/command"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const secured = `mqtt: {listen: "127.0.0.1:0", tls: "127.0.0.1:0", tlcp: "127.0.0.1:0"}
rtsp: {tls: "127.0.0.1:0", tlcp: "127.0.0.1:0"}
edge: {tls: "127.0.0.1:0", tlcp: "127.0.0.1:0", hosts: [centre.example, 127.0.0.1], https: "https://centre.example:9443", mqtt: "tls://centre.example:8883"}
halls:
  - {code: "440900000000001", name: 一号大厅}
  - {code: "440900000000002", name: 二号大厅}
`

// newSecuredSite gives a site whose halls have no passwords.
func newSecuredSite(t *testing.T) site {
	t.Helper()
	s := newSite(t)
	yaml, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("cloud.yaml", strings.Replace(string(yaml), "mqtt: {listen: \"127.0.0.1:0\"}\n", secured, 1))
	return s
}

func (r *running) end(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v: %s", err, r.log.String())
	}
}

func TestProvisionMakesAFileForEachHall(t *testing.T) {
	s := newSecuredSite(t)
	s.want(0, "", "", "pki", "init")
	s.write("list", "# 第一批\n440900000000002 # 二号\n\n440900000000002\n")
	out := s.path("sticks")
	s.want(0, "1 个大厅", "", "provision", "--halls", s.path("list"), "--out", out)
	s.want(0, "2 个大厅", "", "provision", "--out", out)
	for _, hall := range []hallsync.HallID{"440900000000001", "440900000000002"} {
		path := filepath.Join(out, string(hall)+".json")
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		p, err := hallsync.ParseProvision(text)
		left := time.Until(p.Until)
		if err != nil || p.Code.Hall != hall || p.Addresses.HTTPS != "https://centre.example:9443" || p.Addresses.MQTT != "tls://centre.example:8883" ||
			left < 29*24*time.Hour || left > 31*24*time.Hour {
			t.Errorf("%+v, %v", p, err)
		}
	}
	s.write("list", "440900000000003\n")
	s.want(command.Usage, "440900000000003", "", "provision", "--halls", s.path("list"), "--out", out)
	s.want(command.Usage, "", "", "provision")
}

func TestOperatorsActOnCertificates(t *testing.T) {
	const hall = "440900000000001"
	s := newSecuredSite(t)
	s.want(0, "2 个大厅", "", "check")
	r := s.run()
	s.want(0, "", "", "renewals")
	s.want(command.Failure, "没有等待批准的换证申请", "", "approve", hall, "0123456789abcdef")
	s.want(command.Failure, "没有被隔离", "", "release", hall)
	s.keepOut(t, hall, "forked")
	s.want(0, hall+"  "+time.Now().Format(time.DateOnly), "", "quarantines")
	s.want(0, "两条不同的日志链", "", "quarantines")
	s.want(0, "已解除隔离", "", "release", hall)
	if _, out := s.do("", "quarantines"); out != "" {
		t.Errorf("nobody is kept out: %s", out)
	}
	s.want(command.Usage, "没有还在有效期内的证书", "", "revoke", hall, "--reason", "stolen")
	s.want(command.Usage, "", "", "revoke", hall)
	s.want(0, "已吊销", "", "revoke", "centre", "--reason", "lost") // its own: the service orders new ones
	r.end(t)
	if err := os.Remove(s.path("ready.json")); err != nil {
		t.Fatal(err)
	}
	r = s.run()
	r.end(t)
	if strings.Contains(r.log.String(), "BEGIN") {
		t.Error("a key is in the log")
	}
}

// keepOut puts a hall in quarantine, as the running service does.
func (s site) keepOut(t *testing.T, hall hallsync.HallID, reason string) {
	t.Helper()
	st, err := store.Open(t.Context(), s.path("cloud.db"), store.Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AddQuarantine(store.Quarantine{Hall: hall, Since: time.Now(), Reason: reason})
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCheckSaysWhatIsWrongWithTheDoors(t *testing.T) {
	s := newSecuredSite(t)
	yaml, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string][2]string{
		"hosts: [centre.example, 127.0.0.1]": {"hosts: []", "没有写 edge.hosts"},
		`"https://centre.example:9443"`:      {`"http://centre.example:9443"`, "不是 https://, tlcp:// 开头的地址"},
		`"tls://centre.example:8883"`:        {`"tcp://centre.example:1883"`, "不是 tls://, tlcp:// 开头的地址"},
		`media: {rtsp: "127.0.0.1:0"`:        {`media: {rtsp: ":8554"`, "不加密的 RTSP 只能在 127.0.0.1 上监听"},
		`tlcp: "127.0.0.1:0"`:                {`tlcp: "nowhere"`, "nowhere"},
		"[centre.example,":                   {"[\"*.example\",", "*.example"},
	} {
		s.write("cloud.yaml", strings.Replace(string(yaml), from, to[0], 1))
		s.want(command.Usage, to[1], "", "check")
	}
}

// The requests of an authority elsewhere go out before the service can open its doors.
func TestRequestsForAnAuthorityElsewhere(t *testing.T) {
	s := newSecuredSite(t)
	s.want(0, "HallEdge Root SM2", "", "pki", "init")
	s.want(0, "0 个申请", "", "pki", "export-requests", s.path("out"))
	s.want(command.Failure, "不是所申请的证书", "", "pki", "import", s.path("out"))
	yaml, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tls", "sm2"} { // any issuers will do to order
		text, err := os.ReadFile(s.path("pki/" + name + ".crt"))
		if err != nil {
			t.Fatal(err)
		}
		s.write(name+".pem", string(text))
	}
	s.write("cloud.yaml", string(yaml)+"pki: {directory: pki-elsewhere, tls_issuers: tls.pem, sm2_issuers: sm2.pem}\n")
	s.want(command.Failure, "外部 CA 还没有给中心签发证书", "", "run")
	s.want(0, "3 个申请", "", "pki", "export-requests", s.path("out"))
	list, err := os.ReadFile(s.path("out/requests.txt"))
	if err != nil || strings.Count(string(list), "centre.example") != 3 {
		t.Errorf("%s, %v", list, err)
	}
	s.want(0, "0 份申请", "", "pki", "import", s.path("out"))
	s.write("cloud.yaml", string(yaml)+"pki: {tls_issuers: tls.pem}\n")
	s.want(command.Usage, "sm2_issuers", "", "check")
}
