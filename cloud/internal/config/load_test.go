package config_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/strictyaml"
	"halledge/cloud/internal/config"
	"halledge/configs"
)

// sampleDir puts the shipped sample and the secrets it names into a directory.
func sampleDir(t *testing.T) (dir, sample string) {
	t.Helper()
	data, err := fs.ReadFile(configs.FS(), "samples/cloud.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	secret(t, dir, "report.token", "0123456789abcdef\n", 0o600)
	secret(t, dir, "440900000000001.publish", "publish-me", 0o600)
	return dir, string(data)
}

func secret(t *testing.T, dir, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, dir, text string) (config.Config, strictyaml.Problems) {
	t.Helper()
	path := filepath.Join(dir, "cloud.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path)
}

func TestSampleIsGood(t *testing.T) {
	dir, sample := sampleDir(t)
	c, problems := load(t, dir, sample)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	h := c.Halls[0]
	if c.HTTP.Listen != ":9090" || c.MQTT.Listen != "127.0.0.1:1883" || c.Media.RTSP != "127.0.0.1:8554" || c.Media.WebRTC != ":8189" || c.MQTT.TLS != ":8883" || c.MQTT.TLCP != ":8884" ||
		c.RTSP.TLS != ":8322" || c.Edge.TLS != ":9443" || c.Edge.Hosts[0] != "centre.example.cn" ||
		c.Database != "/var/lib/hall-cloud/cloud.db" || c.PKI.Directory != "/var/lib/hall-cloud/pki" || c.Zone != "Asia/Shanghai" || c.Users[0].Name != "admin" || fmt.Sprint(c.Users[0].Roles) != "[viewer manager maintainer auditor video admin]" ||
		c.Tokens[0].Secret.Reveal() != "0123456789abcdef" || h.Code != "440900000000001" || h.Publish.Reveal() != "publish-me" ||
		h.Cameras[0].Code != "440900000000001-CM001" || h.Password.IsZero() {
		t.Errorf("%+v", c)
	}
}

func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	c, problems := load(t, dir, "schema: 1\n")
	if len(problems) != 0 || c.HTTP.Listen != ":9090" || c.Database != filepath.Join(dir, "cloud.db") || c.PKI.Directory != filepath.Join(dir, "pki") || c.Zone != "Asia/Shanghai" || c.Audit.Days != 730 {
		t.Errorf("%+v, %v", c, problems)
	}
}

func TestProblemsSayWhere(t *testing.T) {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24"
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	peer := key.Public().String()
	private, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	hall := func(extra string) string {
		return "schema: 1\nhalls:\n  - code: 440900000000001\n    name: 甲\n    password: " + hash + "\n" + extra
	}
	user := "schema: 1\nusers:\n  - {name: li, password: '" + hash + "'}\n"
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":          {"schema: 1\nhtpp: {}\n", "2:1 config_unknown_key"},
		"no schema":            {"zone: Asia/Shanghai\n", "1:1 config_schema_new"},
		"later schema":         {"schema: 2\n", "1:9 config_schema_new"},
		"address":              {"schema: 1\nhttp:\n  listen: 9090\n", "3:11 config_address"},
		"port":                 {"schema: 1\nmedia: {rtsp: \":99999\"}\n", "2:15 config_address"},
		"open MQTT":            {"schema: 1\nmqtt: {listen: \":1883\"}\n", "2:16 config_mqtt_listen"},
		"MQTT to the net":      {"schema: 1\nmqtt: {listen: \"192.168.1.2:1883\"}\n", "2:16 config_mqtt_listen"},
		"media address":        {"schema: 1\nmedia: {addresses: [10.0.0.1, host]}\n", "2:31 config_ip_address"},
		"proxy":                {"schema: 1\nhttp: {proxies: [10.0.0.1, 10.0.0.0/40]}\n", "2:28 config_network"},
		"audit too short":      {"schema: 1\naudit: {days: 183}\n", "2:15 config_audit_days"},
		"audit too long":       {"schema: 1\naudit: {days: 3651}\n", "2:15 config_audit_days"},
		"audit without end":    {"schema: 1\naudit: {days: 0}\n", "2:15 config_audit_days"},
		"role":                 {strings.Replace(user, "name: li", "name: li, role: boss", 1), "3:22 config_not_allowed"},
		"roles":                {strings.Replace(user, "name: li", "name: li, roles: [viewer, boss]", 1), "3:32 config_not_allowed"},
		"both ways":            {strings.Replace(user, "name: li", "name: li, role: admin, roles: [viewer]", 1), "3:22 config_role_both"},
		"scope":                {strings.Replace(user, "name: li", "name: li, scope: [4409, 44x]", 1), "3:30 config_scope"},
		"no scope":             {strings.Replace(user, "name: li", "name: li, scope: []", 1), "3:23 config_missing"},
		"clerk of a region":    {strings.Replace(user, "name: li", "name: li, roles: [clerk], scope: [4409]", 1), "3:23 config_scope_clerk"},
		"clerk of all":         {strings.Replace(user, "name: li", "name: li, roles: [viewer, clerk]", 1), "3:23 config_scope_clerk"},
		"admin's token":        {"schema: 1\ntokens:\n  - {name: a, roles: [admin], secret: file:secrets/report.token}\n", "3:23 config_not_allowed"},
		"second factor":        {"schema: 1\nsign_in: {second_factor: never}\n", "2:26 config_not_allowed"},
		"host":                 {"schema: 1\nhttp: {hosts: [hall.example.cn, \"https://hall.example.cn\"]}\n", "2:33 config_host_name"},
		"role of a token":      {"schema: 1\ntokens:\n  - {name: a, role: root, secret: file:secrets/report.token}\n", "3:21 config_not_allowed"},
		"province over http":   {"schema: 1\nprovince: {url: \"http://codes.example.cn/\", name: a, key: file:secrets/codes.key, peer: " + peer + "}\n", "2:17 config_codes_url"},
		"province without key": {"schema: 1\nprovince: {url: \"https://codes.example.cn/\", name: a, peer: " + peer + "}\n", "2:11 config_missing"},
		"province's bad key":   {"schema: 1\nprovince: {key: file:secrets/report.token}\n", "2:17 config_sign_key"},
		"province's bad peer":  {"schema: 1\nprovince: {peer: MFkw}\n", "2:18 config_verify_key"},
		"province's issuers":   {"schema: 1\nprovince: {ca: none.pem}\n", "2:16 config_unreadable"},
		"zone":                 {"schema: 1\nzone: Asia/Maoming\n", "2:7 config_zone"},
		"level":                {"schema: 1\nlog: {level: loud}\n", "2:14 config_not_allowed"},
		"no database":          {"schema: 1\ndatabase: \"\"\n", "2:11 config_missing"},
		"plain password":       {"schema: 1\nusers:\n  - {name: li, password: 123456}\n", "3:26 config_password_hash"},
		"user name":            {strings.Replace(user, "name: li", "name: Li Si", 1), "3:12 config_user_name"},
		"user twice":           {user + "  - {name: li, password: '" + hash + "'}\n", "4:12 config_twice"},
		"no user password":     {"schema: 1\nusers:\n  - {name: li}\n", "3:5 config_missing"},
		"secret written out":   {"schema: 1\ntokens:\n  - {name: a, secret: abc}\n", "3:23 config_secret_ref"},
		"secret missing":       {"schema: 1\ntokens:\n  - {name: a, secret: file:none}\n", "3:23 config_secret_missing"},
		"secret is a folder":   {"schema: 1\ntokens:\n  - {name: a, secret: file:secrets}\n", "3:23 config_secret_missing"},
		"token short":          {"schema: 1\ntokens:\n  - {name: a, secret: file:secrets/short}\n", "3:23 config_secret_short"},
		"token without secret": {"schema: 1\ntokens:\n  - {name: a}\n", "3:5 config_missing"},
		"tokens alike": {"schema: 1\ntokens:\n  - {name: a, secret: file:secrets/report.token}\n  - {name: b, secret: file:secrets/report.token}\n",
			"4:23 config_token_shared"},
		"hall code":        {strings.Replace(hall(""), "440900000000001", "4409", 1), "3:11 config_hall_code"},
		"hall name":        {strings.Replace(hall(""), "甲", strings.Repeat("长", 41), 1), "4:11 config_too_long"},
		"no hall name":     {strings.Replace(hall(""), "甲", `""`, 1), "4:11 config_missing"},
		"no hall password": {"schema: 1\nhalls:\n  - code: 440900000000001\n    name: 甲\n", "3:5 config_missing"},
		"camera of another hall": {hall("    cameras:\n      - {code: 440900000000002-CM001, name: 门, scene: 1}\n"),
			"7:16 config_camera_code"},
		"scene":                         {hall("    cameras:\n      - {code: 440900000000001-CM001, name: 门, scene: 9}\n"), "7:55 config_not_allowed"},
		"pages by TLS, not said where":  {"schema: 1\nhttp: {tls: {cert: a.pem}}\n", "2:13 config_missing"},
		"pages by TLS under no name":    {"schema: 1\nhttp: {listen: \"127.0.0.1:0\", tls: {listen: \":9443\"}}\n", "1:1 config_edge_hosts"},
		"pages by TLS without a key":    {"schema: 1\nhttp: {listen: \"127.0.0.1:0\", tls: {listen: \":9443\", cert: a.pem}}\nedge: {hosts: [a.cn]}\n", "2:36 config_missing"},
		"pages by TLS without the file": {"schema: 1\nhttp: {listen: \"127.0.0.1:0\", tls: {listen: \":9443\", cert: a.pem, key: b.pem}}\nedge: {hosts: [a.cn]}\n", "2:60 config_unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := sampleDir(t)
			secret(t, dir, "short", "short", 0o600)
			secret(t, dir, "codes.key", private, 0o600)
			_, problems := load(t, dir, c.text)
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Col, p.Code))
			}
			if problems.Err() == nil || !slices.Equal(got, []string{c.want}) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, problems := load(t, t.TempDir(), "schema: 1\nzone: Nowhere\nlog: {level: loud}\nusers: [{name: A}]\n")
	if len(problems) != 4 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
}

// A slip of the pen in one place hides no wrong value in another.
func TestShapeAndValuesAreReportedTogether(t *testing.T) {
	_, problems := load(t, t.TempDir(), "schema: 1\nhtpp: {}\nzone: Nowhere\nlog: [loud]\nusers: [{name: A, password: 1}]\n")
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Col, p.Code))
	}
	want := []string{
		"2:1 config_unknown_key", "3:7 config_zone", "4:6 config_want_mapping", "5:16 config_user_name", "5:29 config_password_hash",
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

func TestHallsInFurtherFiles(t *testing.T) {
	dir, sample := sampleDir(t)
	_, halls, _ := strings.Cut(sample, "halls:")
	halls, _, _ = strings.Cut(halls, "\nhall_files:")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("second.yaml", "halls:"+strings.ReplaceAll(strings.ReplaceAll(halls, "440900000000001", "440900000000002"), "000002.publish", "000001.publish"))
	c, problems := load(t, dir, strings.Replace(sample, "hall_files: []", "hall_files: [second.yaml]", 1))
	if len(problems) != 0 || len(c.Halls) != 2 || c.Halls[1].Code != "440900000000002" || c.Halls[1].Publish.Reveal() != "publish-me" {
		t.Fatalf("%v, halls %+v", problems, c.Halls)
	}
	write("twice.yaml", "halls:"+halls)
	write("wrong.yaml", "users: []\n")
	_, problems = load(t, dir, strings.Replace(sample, "hall_files: []", "hall_files: [twice.yaml, wrong.yaml, none.yaml]", 1))
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%s %s %s", filepath.Base(p.File), p.Path, p.Code))
	}
	want := []string{
		"cloud.yaml $.hall_files[2] config_unreadable", "twice.yaml $.halls[0].code config_twice",
		"twice.yaml $.halls[0].cameras[0].code config_twice", "wrong.yaml $.users config_unknown_key",
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

func TestOpenSecretIsAWarning(t *testing.T) {
	dir, sample := sampleDir(t)
	secret(t, dir, "open.token", "0123456789abcdef", 0o600)
	if err := os.Chmod(filepath.Join(dir, "secrets", "open.token"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, problems := load(t, dir, strings.Replace(sample, "report.token", "open.token", 1))
	if problems.Err() != nil || len(problems) != 1 || problems[0].Code != strictyaml.SecretOpen {
		t.Errorf("%v", problems)
	}
}

func TestHTTPSWithoutAProxyIsAWarning(t *testing.T) {
	c, problems := load(t, t.TempDir(), "schema: 1\nhttp: {secure: true}\n")
	if problems.Err() != nil || len(problems) != 1 || problems[0].Code != config.ProxyNeeded || !c.HTTP.Secure {
		t.Errorf("%v", problems)
	}
	c, problems = load(t, t.TempDir(), "schema: 1\nhttp: {secure: true, hosts: [hall.example.cn], proxies: [10.1.2.3, 10.2.3.4/16, \"2001:db8::1\"]}\n")
	if len(problems) != 0 || fmt.Sprint(c.HTTP.Proxies) != "[10.1.2.3/32 10.2.0.0/16 2001:db8::1/128]" {
		t.Errorf("%v, %v", c.HTTP.Proxies, problems)
	}
}

// Beside the pages by TLS, plain ones are for this machine.
func TestPlainPagesBesideTLSAreAWarning(t *testing.T) {
	c, problems := load(t, t.TempDir(), "schema: 1\nhttp: {tls: {listen: \":9443\"}}\nedge: {hosts: [a.cn]}\n")
	if problems.Err() != nil || len(problems) != 1 || problems[0].Code != config.HTTPPlain || !c.HTTP.Encrypted() || !c.Certified() || c.Secured() {
		t.Errorf("%v", problems)
	}
	if _, problems := load(t, t.TempDir(), "schema: 1\nhttp: {listen: \"127.0.0.1:9090\", tls: {listen: \":9443\"}}\nedge: {hosts: [a.cn]}\n"); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
}

// Whoever is in a network of proxies may say who he is: one that is larger than proxies need is pointed at, and used.
func TestWideNetworkOfProxiesIsAWarning(t *testing.T) {
	for text, wide := range map[string]bool{
		"10.1.0.5": false, "10.1.0.0/16": false, "192.168.0.0/16": false, "172.16.4.0/22": false, "127.0.0.0/16": false, "203.0.113.7": false, "203.0.113.0/24": false,
		"2001:db8::1": false, "2001:db8:1:2::/64": false, "fd00:1:2::/48": false, "fe80::/64": false,
		"0.0.0.0/0": true, "10.0.0.0/8": true, "172.16.0.0/12": true, "192.168.0.0/15": true, "203.0.113.0/23": true, "198.51.0.0/16": true,
		"::/0": true, "2001:db8::/32": true, "2001:db8:1::/63": true, "fc00::/7": true, "fe80::/10": true,
	} {
		c, problems := load(t, t.TempDir(), "schema: 1\nhttp: {hosts: [hall.example.cn], proxies: [127.0.0.1, \""+text+"\"]}\n")
		warned := len(problems) == 1 && problems[0].Code == config.ProxyWide && problems[0].Line == 2 && problems[0].Warning
		if problems.Err() != nil || warned != wide || !wide && len(problems) != 0 || len(c.HTTP.Proxies) != 2 {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		if _, problems := config.Load(path); len(problems) != 1 || problems[0].Code != config.Unreadable {
			t.Errorf("%s: %v", path, problems)
		}
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	s := strictyaml.NewSecret("hush")
	raw, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, s.LogValue(), raw); strings.Contains(text, "hush") || s.Reveal() != "hush" {
		t.Error(text)
	}
}

// Files of before say one role of two, or none; they mean what they meant.
func TestEarlierRolesAreRead(t *testing.T) {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24"
	dir, _ := sampleDir(t)
	text := "schema: 1\nusers:\n"
	for _, u := range []string{"a, role: admin", "v, role: viewer", "n", "s, roles: [video], scope: [4409, 440100000000001]", "e, roles: []"} {
		text += "  - {name: " + u + ", password: '" + hash + "'}\n"
	}
	c, problems := load(t, dir, text+"tokens: [{name: t, role: admin, secret: file:secrets/report.token}]\n")
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	got := ""
	for _, u := range c.Users {
		roles, scope := u.Rights()
		got += fmt.Sprintf("%s %s %s\n", u.Name, roles, scope)
	}
	roles, scope := c.Tokens[0].Rights()
	got += fmt.Sprintf("%s %s\n", roles, scope)
	want := "a viewer,manager,maintainer,auditor,video,admin all\nv viewer,video all\nn viewer,video all\ns video 440100000000001,4409\ne  all\n" +
		"viewer,manager,maintainer,auditor,video all\n"
	if got != want || c.SignIn.SecondFactor != config.FactorAdmins {
		t.Errorf("%s, want %s", got, want)
	}
}

// Behind a proxy a centre has a name, and people who open it by that name must not be shut out without a word.
func TestNoNameBehindAProxyIsAWarning(t *testing.T) {
	for text, want := range map[string]int{
		"proxies: [10.0.0.1]": 1, "proxies: [10.0.0.1], hosts: [hall.example.cn]": 0, "listen: \"127.0.0.1:0\"": 0,
	} {
		_, problems := load(t, t.TempDir(), "schema: 1\nhttp: {"+text+"}\n")
		if problems.Err() != nil || len(problems) != want || want > 0 && problems[0].Code != config.HostsMissing {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

func TestNoSecondFactorIsAWarning(t *testing.T) {
	for _, text := range []string{"off", "'off'"} {
		c, problems := load(t, t.TempDir(), "schema: 1\nsign_in: {second_factor: "+text+"}\n")
		if problems.Err() != nil || len(problems) != 1 || problems[0].Code != config.FactorIsOff || c.SignIn.SecondFactor != config.FactorOff {
			t.Errorf("%s: %v", text, problems)
		}
	}
}
