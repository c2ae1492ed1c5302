package unit_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"halledge/test/unit"
)

func TestTheSlackIsThatOfTheUnit(t *testing.T) {
	text, err := os.ReadFile("../../packaging/systemd/hall-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nTimerSlackNSec=" + strconv.FormatInt(unit.TimerSlack.Microseconds(), 10) + "us\n"; !strings.Contains(string(text), want) {
		t.Errorf("the unit has no %s", want)
	}
}

func TestAProgramIsStartedWithTheSlack(t *testing.T) {
	cmd := exec.Command("cat", "/proc/self/timerslack_ns")
	var out strings.Builder
	cmd.Stdout = &out
	if err := unit.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != strconv.FormatInt(int64(unit.TimerSlack), 10) {
		t.Errorf("a program's timers have a slack of %s ns", got)
	}
}
