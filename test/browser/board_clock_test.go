package browser_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"halledge/test/browser/chrome"
)

// unknowing gives the address of the hall as it is while its box does not know the time, which no test can have a machine do. knows
// ends that.
func (s *site) unknowing(t *testing.T) (address string, knows func()) {
	t.Helper()
	hall, err := url.Parse(s.Agent.URL)
	if err != nil {
		t.Fatal(err)
	}
	var known atomic.Bool
	proxy := &httputil.ReverseProxy{FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(hall)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path != "/api/v1/board" || known.Load() {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close() // it has been read whole, or not
			body = bytes.Replace(body, []byte(`"clock_unknown":false`), []byte(`"clock_unknown":true`), 1)
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return err
		}}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, func() { known.Store(true) }
}

// boardClock has a board that says that nobody knows the time. The hall is asked to set it, and asks back before a day far ahead begins.
func (s *site) boardClock(t *testing.T) {
	address, knows := s.unknowing(t)
	p := s.browser.Open(t, clerkWidth, clerkHeight, address+"/board")
	p.Demand(leastLetters, leastBoardTarget)
	p.Allow("409 (Conflict)")
	p.SeesAny("PIN 码", "已连接")
	if strings.Contains(p.Text(), "PIN 码") {
		s.enter(p, director, s.Agent.Staff[director].PIN)
	}
	p.Sees("现在是什么时间？", "定好以前不能取号")
	filled := func() string {
		return chrome.Eval[string](p, `document.getElementById('clock-date').value + 'T' + document.getElementById('clock-time').value`)
	}
	east := time.FixedZone("", 8*60*60) // the machine of the test stands elsewhere
	if got := filled(); !within(got, time.Now().In(east)) {
		t.Errorf("the card begins with %s", got)
	}
	s.both(t, p, "board-clock")
	p.Fill("时间", "8点半")
	p.Click("button", "就是这个时间")
	p.Sees("请按“2026-10-01”和“08:30”的样子填写")
	now := time.Now().In(east)
	p.Fill("时间", now.Format("15:04"))
	p.Fill("日期", now.AddDate(1, 0, 0).Format(time.DateOnly))
	p.Click("button", "就是这个时间")
	p.Has("dialog", "真的是 "+now.AddDate(1, 0, 0).Format(time.DateOnly))
	p.Sees("这一天就开始，不能退回")
	s.shot(t, p, "board-clock-far")
	p.Click("button", "重新填写")
	p.Fill("日期", now.Format(time.DateOnly))
	p.Click("button", "就是这个时间")
	p.Sees("大厅时间已定为 " + now.Format(time.DateOnly))
	knows()
	s.Take(t, "A") // has the page look again
	p.Misses("现在是什么时间？")
}

// within reports whether a time as people write it is at most two minutes before another.
func within(written string, at time.Time) bool {
	found, err := time.ParseInLocation("2006-01-02T15:04", written, at.Location())
	return err == nil && found.Before(at) && at.Sub(found) < 2*time.Minute
}
