package browser_test

import (
	"fmt"
	"testing"
	"time"

	"halledge/test/demo"
)

// Invented people, as the simulated reader shows their cards: the first and the second.
const firstID, secondID = "991101199003070016", "991101198811120021"

// TestBookings looks at a kiosk shortly before the hall closes, and checks in for appointments made at the hall. The hall stands where it is
// about midday, because its day must not end on the way.
func TestBookings(t *testing.T) {
	zone := middayZone(t, time.Now())
	s := begin(t, "DEMO_ZONE="+zone.String())
	now := time.Now().In(zone)
	closes := now.Add(4 * time.Minute) // less than the shortest wait that is told
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Allow("net::ERR_")
	p.Allow("409 (Conflict)")
	p.Sees("请选择要办理的业务")
	s.Sim(t, "stop", "agent")
	p.Sees("系统正在恢复")
	s.limit(t, map[string]string{"A": fmt.Sprintf(`{hours: ["mon-sun 00:00-%s"], closing: warn, late_min: 0}`, closes.Format("15:04"))})
	s.Sim(t, "start", "agent")
	p.Misses("系统正在恢复")

	t.Run("a warning before a number that may come too late", func(t *testing.T) {
		s.Verb(t, "1", "open", nil)
		for range 5 { // from then on a wait is told
			s.Verb(t, "1", "call", map[string]any{"ticket": s.Take(t, "A").ID})
			s.Verb(t, "1", "finish", nil)
		}
		p.Sees("请选择要办理的业务", "可能等到下班")
		s.shot(t, p, "kiosk-late")
		s.turned(t, p, "kiosk-late-lying")
		p.Click("button", "综合受理")
		p.Sees("可能等到下班", closes.Format("15:04")+" 结束", "仍要取号吗")
		s.shot(t, p, "kiosk-late-asks")
		p.Click("button", "仍要取号")
		number(t, p.Text, "A")
		p.Click("button", "完成")
		s.Verb(t, "1", "close", nil)
	})
	t.Run("one press for an appointment that is due", func(t *testing.T) {
		s.book(t, "C", firstID, now.Add(-time.Minute), now.Add(30*time.Minute))
		s.Sim(t, "tap-card", "--person", "1")
		p.Sees("您今天有预约", "不动产登记", "签到取号")
		s.shot(t, p, "kiosk-booking")
		s.turned(t, p, "kiosk-booking-lying")
		p.Click("button", "签到取号")
		got := number(t, p.Text, "C")
		p.Sees("预约号，按预约时间叫号", "请取走您的小票")
		s.shot(t, p, "kiosk-booking-result")
		s.slip(t, got)
		p.Click("button", "完成")
	})
	t.Run("calm words for one that is early", func(t *testing.T) {
		early := now.Add(2 * time.Hour)
		s.book(t, "B", secondID, early, early.Add(time.Minute))
		end := time.Now().Add(4 * time.Second)
		s.book(t, "A", secondID, now.Add(-time.Minute), end)
		s.Sim(t, "tap-card", "--person", "2")
		p.Sees("您今天有预约", "综合受理")
		p.Click("button", "社保医保")
		p.Sees("还没到预约时间", early.Add(-15*time.Minute).Format("15:04")+" 起可以签到取号", "不想等，可以直接取普通号")
		s.shot(t, p, "kiosk-booking-early")
		p.Click("button", "知道了")
		s.Sim(t, "tap-card", "--person", "2")
		p.Sees("您今天有预约", "综合受理")
		demo.Until(t, demo.Patience, "the end of the appointment", func() error {
			if left := time.Until(end); left > 0 {
				return fmt.Errorf("in %s", left)
			}
			return nil
		})
		p.Click("button", "综合受理") // too late for it: he waits like everybody
		number(t, p.Text, "A")
		p.Sees("预约时间已过，按普通号排队", "请取走您的小票")
		s.shot(t, p, "kiosk-booking-late")
		p.Click("button", "完成")
	})
}

// middayZone gives a zone where it is between 12 and 13 o'clock.
func middayZone(t *testing.T, now time.Time) *time.Location {
	t.Helper()
	east := 12 - now.UTC().Hour()                                    // from -11 to 12
	zone, err := time.LoadLocation(fmt.Sprintf("Etc/GMT%+d", -east)) // whose signs are those of the west
	if err != nil {
		t.Fatal(err)
	}
	if h := now.In(zone).Hour(); h != 12 {
		t.Fatalf("it is %d o'clock in %s", h, zone)
	}
	return zone
}

// book makes an appointment at the hall.
func (s *site) book(t *testing.T, queue, number string, start, end time.Time) {
	t.Helper()
	s.Post(t, "staff", "/api/v1/bookings", map[string]any{"queue": queue, "start": start, "end": end, "id_number": number}, 201)
}
