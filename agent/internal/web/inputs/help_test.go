package inputs

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestACallForTheGuideEndsAfterItWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		dirty, cancel := d.Watch("desk")
		defer cancel()
		first := d.Ring("kiosk-1", "大门取号机", time.Now())
		time.Sleep(time.Minute)
		if again := d.Ring("kiosk-1", "大门取号机", time.Now()); again != first {
			t.Errorf("ringing twice: %+v, then %+v", first, again)
		}
		d.Ring("kiosk-2", "二楼取号机", time.Now())
		if all := d.HelpCalls(""); len(all) != 2 || all[0] != first || len(d.HelpCalls("kiosk-2")) != 1 || len(d.HelpCalls("kiosk-3")) != 0 {
			t.Errorf("%+v", all)
		}
		select {
		case <-dirty:
		default:
			t.Error("the guide is not told")
		}
		if _, ok := d.Come("kiosk-9", "测试一"); ok {
			t.Error("somebody goes where nobody called")
		}
		if c, ok := d.Come("kiosk-1", "测试一"); !ok || !c.Coming || c.By != "测试一" {
			t.Errorf("%+v %v", c, ok)
		}
		if c, ok := d.Come("kiosk-1", "测试二"); !ok || c.By != "测试一" {
			t.Errorf("two go: %+v %v", c, ok)
		}
		time.Sleep(comingTerm)
		if all := d.HelpCalls(""); len(all) != 1 || all[0].Place != "kiosk-2" {
			t.Errorf("answered long ago, still there: %+v", all)
		}
		time.Sleep(helpTerm)
		if all := d.HelpCalls(""); len(all) != 0 {
			t.Errorf("nobody waits so long: %+v", all)
		}
		if c := d.Ring("kiosk-1", "大门取号机", time.Now()); c.Coming || c == first {
			t.Errorf("a new call: %+v", c)
		}
	})
}
