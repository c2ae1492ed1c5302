package chrome_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
)

// pages are what the test's own server shows.
var pages = map[string]string{
	"/form": `<title>form</title><main>
		<label for="name">姓名</label><input id="name">
		<button id="go" disabled>办 结</button><button>办结并叫下一个</button>
		<p id="said"></p><div id="lid" style="position:fixed;inset:0;background:#fff">请稍候</div></main>
		<script>
		const said = document.getElementById('said');
		const look = document.elementFromPoint.bind(document);
		let looks = 0; // the lid goes when somebody has run into it three times
		document.elementFromPoint = (x, y) => { if (++looks === 3) document.getElementById('lid').remove(); return look(x, y); };
		document.getElementById('name').oninput = () => setTimeout(() => { document.getElementById('go').disabled = false; }, 300);
		document.getElementById('go').onclick = (e) => { said.textContent = (e.isTrusted ? '你好 ' : '假的 ') + document.getElementById('name').value; };
		document.onkeydown = (e) => { if (e.key === 'F2') said.textContent = '按了 F2'; };
		</script>`,
	"/faults": `<title>faults</title><p>坏页面</p><script src="/evil.js"></script>
		<script>console.error('说错了', 7); setTimeout(() => { throw new Error('抛出来'); }, 0);</script><img src="/gone.png">`,
	"/flaws": `<title>flaws</title><p style="width:3000px">太宽</p>
		<p style="width:60px;overflow:hidden;white-space:nowrap">这一句话放不下了</p>
		<p style="width:60px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis">这一句用省略号</p>
		<p style="margin-left:700px;width:60px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis">靠右边的一句也用省略号</p>`,
	"/hard": `<title>hard</title><p style="font-size:12px">小字</p><p style="color:#777;background:#888">看不清</p>
		<p style="color:#777;background:#888;opacity:.5">褪色的</p><button style="width:200px;height:20px">扁的</button><button disabled style="height:9px">不能按的</button>
		<div style="position:relative"><p>压在下面</p><span style="position:absolute;inset:0;background:#fff"></span></div>
		<p style="font:20px/1.5 'Noto Sans CJK SC';width:81px">这里有五个</p>
		<p style="font:20px/1.5 'Noto Sans CJK SC';width:81px">这里有<span style="display:inline-block">第二行</span></p>`,
	"/fine": `<title>fine</title><h1>好页面</h1><p>都在里面</p>`,
}

func serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == "/faults" {
			w.Header().Set("Content-Security-Policy", "script-src 'unsafe-inline'")
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!DOCTYPE html><link rel="icon" href="data:,">` + page)) // a browser that has gone cannot be told
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestBrowserActsAndSees(t *testing.T) {
	b, base := chrome.Start(t), serve(t)
	t.Run("mouse and keys", func(t *testing.T) {
		p := b.Open(t, 800, 600, base+"/form")
		p.Sees("请稍候")
		p.Fill("姓名", "测试一")     // waits for the lid to go
		p.Click("button", "办结") // waits for the button to be enabled
		p.Sees("你好 测试一")
		p.Misses("请稍候")
		p.Press(chrome.F2)
		p.Sees("按了 F2")
		p.Has("textbox", "姓名")
		p.Lacks("link", "姓名")
		if got := chrome.Of[string](p, "button", "并叫下一个", `function () { return this.textContent; }`); got != "办结并叫下一个" {
			t.Errorf("the button says %q", got)
		}
	})
	t.Run("faults", func(t *testing.T) {
		p := b.Open(t, 800, 600, base+"/faults")
		p.Sees("坏页面")
		for _, want := range []string{"Content Security Policy", "说错了", "抛出来", "404"} {
			p.HasFault(want)
			p.Allow(want)
		}
		if rest := p.Faults(); len(rest) > 0 {
			t.Errorf("also %q", rest)
		}
	})
	t.Run("flaws", func(t *testing.T) {
		p := b.Open(t, 800, 600, base+"/flaws")
		got := strings.Join(p.Flaws(), "\n")
		for _, want := range []string{"px wide on a screen of 800", "这一句话放不下了"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q was not found in:\n%s", want, got)
			}
		}
		if strings.Contains(got, "省略号") {
			t.Errorf("an ellipsis is no flaw:\n%s", got)
		}
		p.Go(base + "/fine")
		if got := p.Flaws(); len(got) != 0 {
			t.Errorf("a good page has flaws: %q", got)
		}
		p.Go(base + "/hard")
		if got := p.Flaws(); len(got) != 0 {
			t.Errorf("flaws that nobody asked for: %q", got)
		}
		p.Demand(14, 60)
		got = strings.Join(p.Flaws(), "\n")
		for _, want := range []string{`letters of 12 px: p "小字"`, `to 1: p "看不清"`, `by 20 px: button "扁的"`, `a lonely character: p "这里有五个"`,
			`hidden under something: p "压在下面"`} {
			if !strings.Contains(got, want) {
				t.Errorf("%q was not found in:\n%s", want, got)
			}
		}
		for _, fine := range []string{"褪色的", "不能按的", "第二行"} {
			if strings.Contains(got, fine) {
				t.Errorf("%q is no flaw:\n%s", fine, got)
			}
		}
		p.Go(base + "/fine")
		file := filepath.Join(t.TempDir(), "screens", "fine.png")
		p.Save(file)
		if raw, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(raw), "\x89PNG") {
			t.Errorf("no picture: %v", err)
		}
	})
}
