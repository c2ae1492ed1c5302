package browser_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
	"halledge/test/fakes/identity"
)

// Somebody of the unified identity platform signs in there, and comes back to the page he wanted. Who has no account is told so, and a
// platform that is down leaves the password.
func TestUnifiedSignIn(t *testing.T) {
	// Browsers come by the address that the platform knows; the centre's own is not known before it runs.
	var centreAt *url.URL
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(centreAt)
			p.Out.Host = p.In.Host
		}}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	far := identity.Start(t, front.URL+"/sign-in/oidc",
		identity.Person{Subject: "s-li", Name: "li.si", FullName: "李四", Password: "words"},
		identity.Person{Subject: "s-wu", Name: "wu", FullName: "吴五", Password: "words"})
	c := startCentre(t, map[string]string{"oidc.secret": identity.Secret}, `sign_in:
  oidc: {issuer: "`+far.Issuer+`", client: `+identity.Client+`, secret: "file:oidc.secret", redirect: "`+front.URL+`/sign-in/oidc"}
`)
	var err error
	if centreAt, err = url.Parse(c.url); err != nil {
		t.Fatal(err)
	}
	c.url = front.URL
	c.command(t, firstPassword, "user", "add", "li.si", "--full-name", "李四", "--role", "viewer", "--scope", "4409")
	c.command(t, "", "user", "invite", "li.si")

	p := c.open(t, "/halls/440900000000001")
	p.Allow("favicon.ico") // which the platform has none of
	p.Has("button", "统一身份登录")
	c.shot(t, p, "console-sign-in-unified")
	atPlatform(t, p, far, "li.si")
	p.Sees("示例市政务服务大厅", "李四") // the page he wanted
	p.Go(front.URL + "/halls")
	p.Sees("示例市政务服务大厅", "未接入")
	p.Misses("邻市政务服务大厅")
	c.shot(t, p, "console-unified-halls")
	p.Click("link", "李四")
	p.Sees("密码和动态口令请到平台上修改", "编码以 4409 开头的大厅")
	c.shot(t, p, "console-unified-account")
	p.Click("button", "退出")
	p.Sees("请使用运行中心分配的账号")

	atPlatform(t, p, far, "wu")
	p.Sees("没有可用的账号")
	c.shot(t, p, "console-unified-unknown")
	p.Click("button", "返回登录")
	far.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	p.Allow("403 (Forbidden)")
	signInAs(p, "admin", firstPassword)
	p.Sees("管理员要先绑定动态口令") // by his password, as ever
}

// atPlatform signs in at the platform's own page.
func atPlatform(t *testing.T, p *chrome.Page, far *identity.Platform, name string) {
	t.Helper()
	p.Click("button", "统一身份登录")
	p.Has("textbox", "Username:")
	if !strings.HasPrefix(p.Address(), far.Issuer+"/") {
		t.Fatalf("the browser is at %s", p.Address())
	}
	p.Fill("Username:", name)
	p.Fill("Password:", "words")
	p.Press(chrome.Enter)
}

// command runs hall-cloud beside the centre.
func (c *centre) command(t *testing.T, input string, args ...string) {
	t.Helper()
	run := exec.CommandContext(t.Context(), filepath.Join(demo.Programs(t), "hall-cloud"), append(args, "--config", c.config)...)
	run.Stdin = strings.NewReader(input + "\n")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("hall-cloud %q: %v\n%s", args, err, out)
	}
}
