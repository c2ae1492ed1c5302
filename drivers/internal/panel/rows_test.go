package panel

import (
	"reflect"
	"strings"
	"testing"

	"halledge/drivers/device"
)

func TestFit(t *testing.T) {
	call := device.Frame{Lines: []string{"请A001号", "到1号窗口"}, More: []string{"A002到2号窗口", "A003到3号窗口"}}
	for name, c := range map[string]struct {
		rows Rows
		f    device.Frame
		want []Row
	}{
		"a row each":         {Rows{2, 16, true}, call, []Row{{"请A001号", false, false}, {"到1号窗口", false, false}}},
		"rows to spare":      {Rows{3, 16, true}, call, []Row{{"请A001号", false, false}, {"到1号窗口", false, false}, {"A002到2号窗口", false, true}}},
		"one row, runs":      {Rows{1, 16, true}, call, []Row{{"请A001号  到1号窗口", true, false}}},
		"one row, stands":    {Rows{1, 16, false}, call, []Row{{"请A001号", false, false}}},
		"one row, has room":  {Rows{1, 19, false}, call, []Row{{"请A001号  到1号窗口", false, false}}},
		"too narrow, stands": {Rows{1, 7, false}, call, []Row{{"请A001", false, false}}},
		"cut before a half":  {Rows{1, 3, false}, device.Frame{Lines: []string{"暂停服务"}}, []Row{{"暂", false, false}}},
		"cut in time":        {Rows{1, 2, false}, device.Frame{Lines: []string{"号"}}, []Row{{"号", false, false}}},
		"long line runs":     {Rows{2, 8, true}, device.Frame{Lines: []string{"今日停电检修", "A001"}}, []Row{{"今日停电检修", true, false}, {"A001", false, false}}},
		"empty lines":        {Rows{2, 16, true}, device.Frame{Lines: []string{"", " \n", "一\t二"}, More: []string{" "}}, []Row{{"一 二", false, false}}},
		"nothing":            {Rows{2, 16, true}, device.Frame{}, []Row{}},
	} {
		if got := c.rows.Fit(c.f); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestPerScene(t *testing.T) {
	colours := []string{"red", "green"}
	p, err := ParsePerScene(" calling=red  paused=green ", colours)
	if err != nil || p.Of(device.SceneCalling, "x") != "red" || p.Of(device.ScenePaused, "x") != "green" || p.Of(device.SceneWaiting, "x") != "x" {
		t.Errorf("%v, %v", p, err)
	}
	for _, bad := range []string{"red", "calling", "calling=blue", "sleeping=red", "calling=red,paused=green"} {
		if p, err := ParsePerScene(bad, colours); err == nil || !strings.Contains(err.Error(), strings.Fields(bad)[0]) {
			t.Errorf("%q: %v, %v", bad, p, err)
		}
	}
}
