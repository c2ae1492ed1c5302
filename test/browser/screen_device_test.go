package browser_test

import (
	"fmt"
	"net/http"
	"testing"

	"halledge/test/demo"
)

// pageIsADevice looks at the page of a screen as somebody does who looks after the hall: it stands beside the hardware while it is
// there, shows a text when it is tested, and is missed when it is gone.
func (s *site) pageIsADevice(t *testing.T) {
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("等候人数")
	s.pageIs(t, "ok")
	tested := make(chan error, 1)
	go func() {
		a, err := s.Do(s.Agent.URL, s.Agent.Tokens["ops"], http.MethodPost, "/api/v1/devices/screen-1.page/test", struct{}{},
			map[string]string{"Idempotency-Key": "the-page-is-a-device"})
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("test: %d %s", a.Status, a.Body)
		}
		tested <- err
	}()
	p.Sees("显示测试 ABC123")
	s.shot(t, p, "screen-test")
	if err := <-tested; err != nil {
		t.Error(err)
	}
	p.Misses("显示测试 ABC123")
	p.Go("about:blank")
	s.pageIs(t, "offline")
}

func (s *site) pageIs(t *testing.T, state string) {
	t.Helper()
	demo.Until(t, demo.Patience, "screen-1.page "+state, func() error {
		var all struct {
			Devices []struct{ Name, Class, State, Code, Advice string }
		}
		s.Get(t, "ops", "/api/v1/devices").Into(t, &all)
		for _, d := range all.Devices {
			if d.Name == "screen-1.page" && d.Class == "screen" && d.State == state && (d.Code == "") == (d.Advice == "") {
				return nil
			}
		}
		return fmt.Errorf("the devices are %+v", all.Devices)
	})
}
