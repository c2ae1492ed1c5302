package browser_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// line is the network between a page and the hall. Commands always reach the hall.
type line struct {
	url string

	mu    sync.Mutex
	lost  bool // answers to commands do not come back
	reads *reads
}

// reads are what a page reads, the stream too, from when the line is mended until it is cut.
type reads struct {
	ctx     context.Context
	cut     context.CancelFunc
	running sync.WaitGroup
}

// line puts a network before the hall, which is whole.
func (s *site) line(t *testing.T) *line {
	t.Helper()
	hall, err := url.Parse(s.Agent.URL)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(hall)
		r.Out.Host = r.In.Host
	}}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // as if nobody were there
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if l.loses() {
				proxy.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			proxy.ServeHTTP(w, r)
			return
		}
		reads := l.begin()
		if reads == nil {
			panic(http.ErrAbortHandler)
		}
		defer reads.running.Done()
		ctx, stop := context.WithCancel(r.Context())
		defer stop()
		defer context.AfterFunc(reads.ctx, stop)()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	}))
	l.url = server.URL
	l.mend()
	t.Cleanup(func() {
		l.blind()
		server.Close()
	})
	return l
}

func (l *line) loses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// begin counts something that is read; it gives nil while the line is cut.
func (l *line) begin() *reads {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reads.ctx.Err() != nil {
		return nil
	}
	l.reads.running.Add(1)
	return l.reads
}

// lose lets nothing come back to the page.
func (l *line) lose() { l.end(true) }

// blind lets answers to commands come back, and nothing else.
func (l *line) blind() { l.end(false) }

// end cuts what is read, and waits for its end: no news comes through any more.
func (l *line) end(lost bool) {
	l.mu.Lock()
	l.lost = lost
	ended := l.reads
	ended.cut()
	l.mu.Unlock()
	ended.running.Wait()
}

// mend makes the line whole.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = false
	l.reads = &reads{}
	l.reads.ctx, l.reads.cut = context.WithCancel(context.Background())
}

// lineClerk is a clerk at window 1 behind a line, for whom nobody waits.
func (s *site) lineClerk(t *testing.T) (*line, *chrome.Page) {
	t.Helper()
	s.emptied(t)
	l := s.line(t)
	p := s.atWindow(s.browser.Open(t, clerkWidth, clerkHeight, l.url+"/window/1"))
	p.Allow("net::ERR_")
	p.Allow("409 (Conflict)")
	p.Sees("空闲", "现在没有人等候")
	return l, p
}

// givenUp waits until a press at a window has come to its end.
func givenUp(t *testing.T, p *chrome.Page) {
	t.Helper()
	demo.Until(t, demo.Patience, "the end of the press", func() error {
		if chrome.Eval[int](p, `document.querySelectorAll('.verb-busy').length`) > 0 {
			return errors.New("the button is busy")
		}
		return nil
	})
}

// lostAnswers presses again because no answer came: what the hall had done is not done a second time. Once the page has seen it done,
// the same press is a new one.
func (s *site) lostAnswers(t *testing.T) {
	l, p := s.lineClerk(t)
	first, second := s.Take(t, "A"), s.Take(t, "A")
	p.Sees("有2人等候")
	l.lose()
	p.Press(chrome.F2)
	s.at(t, first.Number+" called")
	givenUp(t, p)
	p.Misses("已叫号")
	l.blind()
	p.Press(chrome.F2)
	p.Sees("请 "+first.Number+" 号", "已叫号"+first.Number)
	s.at(t, first.Number+" called")
	l.mend()
	p.Sees("已连接", "等候1人")
	p.Press(chrome.F3)
	p.Sees("第 2 次")
	l.lose()
	p.Press(chrome.F3)
	givenUp(t, p)
	l.blind()
	p.Press(chrome.F3)
	p.Sees("已重呼 " + first.Number)
	if calls := s.Hall(t).Calls; calls[0].Number != first.Number || calls[0].Times != 3 {
		t.Errorf("after a second press for the third call there are %+v", calls)
	}
	l.mend()
	p.Sees("已连接", "第 3 次")
	l.lose()
	p.Press(chrome.F3)
	givenUp(t, p)
	l.mend()
	p.Sees("已连接", "第 4 次")
	p.Press(chrome.F3)
	p.Sees("第 5 次")
	p.Press(chrome.F5)
	p.Sees("已办结 " + first.Number)
	p.Press(chrome.F2)
	p.Sees("已叫号" + second.Number)
	s.Verb(t, "1", "finish", nil)
}

// quickerHand has somebody else deal with the ticket that a page shows: nothing is done to the next one instead.
func (s *site) quickerHand(t *testing.T) {
	l, p := s.lineClerk(t)
	for _, sheet := range []struct{ key, name string }{{chrome.F7, "转移"}, {chrome.F9, "弃号"}} {
		got := s.next(t, p, "A")
		p.Press(sheet.key)
		p.Has("dialog", sheet.name+" "+got)
		s.Verb(t, "1", "finish", nil)
		p.Lacks("dialog", sheet.name)
		p.Sees(fmt.Sprintf("%s 已由别处处理，没有%s", got, sheet.name), "空闲")
	}
	first := s.next(t, p, "A")
	second := s.Take(t, "A").Number
	p.Sees("等候1人")
	l.blind()
	s.Verb(t, "1", "pass", nil)
	s.Verb(t, "1", "call-next", nil)
	p.Press(chrome.F6)
	p.Sees(first+" 已由别处处理，现在是“已过号”", "已叫号"+first)
	s.shot(t, p, "window-quicker-hand")
	s.at(t, second+" called")
	for _, key := range []string{chrome.F3, chrome.F4} {
		p.Press(key)
		givenUp(t, p)
		p.Sees(first + " 已由别处处理，现在是“已过号”")
	}
	p.Press(chrome.F2)
	p.Sees("这一次没有办结，也没有叫号")
	s.at(t, second+" called")
	l.mend()
	p.Sees("已连接", "已叫号"+second)
	p.Press(chrome.F5)
	p.Sees("已办结 " + second)
	s.Verb(t, "1", "abandon", map[string]string{"ticket": s.find(t, first).ID, "reason": "没有来"})
}

// tooEarly presses a key before the last one was answered: the page says that it was not done. A finger that trembles calls one person.
func (s *site) tooEarly(t *testing.T) {
	l, p := s.lineClerk(t)
	p.Press(chrome.F6)
	p.Sees("窗口没有号，现在不能“过号”。")
	first, second := s.Take(t, "A").Number, s.Take(t, "A").Number
	p.Sees("有2人等候")
	l.lose()
	p.Press(chrome.F2)
	s.at(t, first+" called")
	p.Sees("还没有收到大厅的答复")
	p.Press(chrome.F6)
	l.mend()
	p.Sees("请 "+first+" 号", "“过号”按得太早，没有执行。")
	s.shot(t, p, "window-too-early")
	p.Press(chrome.F4)
	p.Sees("办理中")
	chrome.Eval[bool](p, `(() => { performance.now = () => 1e9; return true; })()`)
	p.Press(chrome.F2)
	p.Press(chrome.F2)
	p.Sees("请 "+second+" 号", "已叫号"+second)
	givenUp(t, p)
	p.Misses("刚刚叫过", "没有办结")
	stopped(p)
	p.Press(chrome.F5)
	p.Sees("3 秒后生效")
	l.lose()
	p.Sees("正在重连")
	p.Click("button", "撤销") // the offer is not taken away by the news
	p.Sees("已撤销，" + second)
	l.mend()
	p.Sees("已连接")
	s.Verb(t, "1", "finish", nil)
}

// kioskLost presses again because no answer came: the hall had given a number, and gives no second one.
func (s *site) kioskLost(t *testing.T) {
	l := s.line(t)
	p := s.browser.Open(t, kioskWidth, kioskHeight, l.url+"/kiosk/1?token="+s.Agent.Tokens["kiosk"])
	p.Allow("net::ERR_")
	p.Sees("请选择要办理的业务")
	before := s.Hall(t).Queues[2].Waiting
	l.lose()
	p.Click("button", "不动产登记")
	demo.Until(t, demo.Patience, "the end of the press", func() error {
		if chrome.Eval[bool](p, `document.getElementById('message').hidden`) {
			return errors.New("the number is on its way")
		}
		return nil
	})
	l.mend()
	p.Click("button", "知道了")
	p.Click("button", "不动产登记")
	got := number(t, p.Text, "C")
	if q := s.Hall(t).Queues[2]; q.ID != "C" || q.Waiting != before+1 {
		t.Errorf("after %s there wait %+v, before %d", got, q, before)
	}
	p.Click("button", "完成")
}
