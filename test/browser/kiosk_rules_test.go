package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rules looks at a kiosk of a hall with office hours and quotas: it says calmly why there is no number, and what to do.
func (s *site) rules(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	opens, hours := "今天不再取号", "mon-sun 00:00-00:01" // in the last hour of the day
	if now := time.Now().In(zone); now.Hour() < 22 {
		opens = fmt.Sprintf("%02d:30 开始取号", now.Hour()+1)
		hours = fmt.Sprintf("mon-sun %02d:30-23:59", now.Hour()+1)
	}
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Allow("net::ERR_")
	p.Sees("请选择要办理的业务")
	s.Take(t, "C") // the one number of the day
	s.Sim(t, "stop", "agent")
	p.Sees("系统正在恢复")
	s.limit(t, map[string]string{"B": fmt.Sprintf("{hours: [%q]}", hours), "C": "{quota: 1}"})
	s.Sim(t, "start", "agent")
	p.Misses("系统正在恢复")
	p.Sees(opens, "今天的号已取完")
	s.shot(t, p, "kiosk-rules")
	s.turned(t, p, "kiosk-rules-lying")
	p.Click("button", "社保医保")
	p.Sees("社保医保：现在不取号", "也可以先办其他业务", "呼叫导办员")
	s.shot(t, p, "kiosk-queue-closed")
	s.turned(t, p, "kiosk-queue-closed-lying")
	p.Click("button", "知道了")
	p.Click("button", "不动产登记")
	p.Sees("不动产登记：今天的号取完了", "可以直接到 2 号窗口办理", "秒后返回首页")
	s.shot(t, p, "kiosk-quota-used")
	p.Click("button", "长辈版")
	p.Demand(leastElderLetters, leastTarget)
	s.shot(t, p, "kiosk-quota-used-elder")
	p.Click("button", "标准版")
	p.Demand(leastKioskLetters, leastTarget)
	p.Click("button", "English")
	p.Sees("No more numbers for “Property registration” today")
	s.shot(t, p, "kiosk-quota-used-english")
	p.Click("button", "I see")
	p.Click("button", "General services") // which has no rules
	number(t, p.Text, "A")
	p.Click("button", "Done")
	s.guideOverrides(t)
}

// limit puts rules of admission into the plan of the hall, whose agent must not run.
func (s *site) limit(t *testing.T, admission map[string]string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(s.Agent.Config), "hall.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "revision: 1\n", "revision: 2\n", 1)
	for id, rules := range admission {
		before, after, found := strings.Cut(text, "{id: "+id+", name:")
		if !found {
			t.Fatalf("no queue %s in the plan:\n%s", id, raw)
		}
		text = before + "{id: " + id + ", admission: " + rules + ", name:" + after
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
