package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/gm"
	"halledge/test/fakes/province"
)

// centreName is under which the province knows the demo's centre.
const centreName = "centre"

// startProvince starts the stand-in for the province of a demo.
func startProvince(s secrets) (*province.Province, error) {
	key, err := gm.ParsePrivateKey(s.Province)
	if err != nil {
		return nil, err
	}
	centre, err := gm.ParsePrivateKey(s.Centre)
	if err != nil {
		return nil, err
	}
	return province.Start(province.Options{Key: key, Callers: map[string]gm.PublicKey{centreName: centre.Public()}})
}

// provinceCommand makes the province of a running demo behave.
func provinceCommand() *cobra.Command {
	var modes []string
	for _, m := range province.Modes() {
		modes = append(modes, string(m))
	}
	delay := 5 * time.Second
	cmd := act("province ["+strings.Join(modes, "|")+"]", "How the province answers about codes: good, slow, silent, wrong …", func(args []string) (string, any) {
		mode := string(province.Good)
		if len(args) > 0 {
			mode = args[0]
		}
		return "/province", provinceRequest{Mode: mode, Delay: delay}
	})
	cmd.Flags().DurationVar(&delay, "delay", delay, "how long slow takes")
	return withArgs(cmd, words(0, modes))
}

// provinceRequest is the body of POST /province of the control socket.
type provinceRequest struct {
	Mode  string
	Delay time.Duration
}

// behave makes the province behave as wished.
func (h *demoHall) behave(r provinceRequest) (string, error) {
	mode := province.Mode(r.Mode)
	if !slices.Contains(province.Modes(), mode) {
		return "", fmt.Errorf("there is no %q", r.Mode)
	}
	h.province.Set(mode, r.Delay)
	return fmt.Sprintf("the province is %s, asked %d times so far", mode, h.province.Asked()), nil
}
