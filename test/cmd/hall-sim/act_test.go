package main

import (
	"errors"
	"strings"
	"testing"

	"halledge/agent/kit/command"
)

// What is misspelt is answered with the words there are, without a demo.
func TestWordsAreChecked(t *testing.T) {
	for line, names := range map[string]string{
		"press bogus": "next", "unplug nope": "kiosk-1.printer", "unplug": "hall.led", "plug x": "window-1.pad", "look kiosk-1.printer": "hall.led",
		"stop hall": "agent", "start": "cloud", "paper kiosk-1.printer wet": "low", "paper hall.led": "kiosk-1.printer", "tap-card --person 10": "9",
		"noise hall.led maybe": "off", "noise": "hall.led", "scan a b": "", "tap-card x": "", "dance": "", "press next recall": "",
	} {
		cmd := root()
		cmd.SetArgs(strings.Fields(line))
		err := cmd.Execute()
		var coded *command.Error
		if !errors.As(err, &coded) || coded.Code != command.Usage || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestGoodWordsReachTheDemo(t *testing.T) {
	for _, line := range []string{"press", "press next", "press --timed finish", "unplug hall.led", "paper kiosk-1.printer", "tap-card --person 2", "scan X",
		"scan --garbage", "tap-card --damaged", "tap-card --timed", "noise hall.led", "noise hall.led off"} {
		cmd := root()
		cmd.SetArgs(append(strings.Fields(line), "--demo", t.TempDir()))
		err := cmd.Execute()
		var coded *command.Error
		if err == nil || errors.As(err, &coded) || !strings.Contains(err.Error(), "no demo runs") {
			t.Errorf("%s: %v", line, err)
		}
	}
}
