package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"halledge/test/fakes/hardware"
)

// actCommands act in a running demo as its citizens, staff and fitters.
func actCommands() []*cobra.Command {
	program := []string{"cloud", "agent"}
	return []*cobra.Command{tapCommand(), scanCommand(), pressCommand(),
		withArgs(act("rate 1|2|3|4|5", "A citizen presses a grade on window 2's rating device, 5 for the best", func(args []string) (string, any) {
			return "/rate", rateRequest{Stars: int(args[0][0] - '0')}
		}), words(1, []string{"1", "2", "3", "4", "5"})),
		withArgs(act("paper DEVICE [out|low|ok|jam]", "The paper of a printer runs out, is refilled, or jams the cutter until the printer's test", func(args []string) (string, any) {
			state := "out"
			if len(args) > 1 {
				state = args[1]
			}
			return "/paper", paperRequest{Device: args[0], State: state}
		}), words(1, []string{"kiosk-1.printer"}, []string{"out", "low", "ok", "jam"})),
		withArgs(act("look DEVICE", "What an LED panel, a pad or the rating device shows, or the speaker said, for example hall.led", func(args []string) (string, any) {
			return "/look", plugRequest{Device: args[0]}
		}), words(1, []string{"hall.led", "screen-1.led", "window-1.led", "window-2.led", "window-1.pad", "window-2.pad", "window-2.rater", "hall.speaker", "window-2.speaker"})),
		withArgs(act("noise DEVICE [on|off]", "All that a device says arrives as noise", func(args []string) (string, any) {
			return "/noise", noiseRequest{Device: args[0], On: len(args) < 2 || args[1] == "on"}
		}), words(1, deviceNames(), []string{"on", "off"})),
		withArgs(act("unplug DEVICE", "Pull a device's cable, for example kiosk-1.printer", func(args []string) (string, any) {
			return "/unplug", plugRequest{Device: args[0]}
		}), words(1, deviceNames())),
		withArgs(act("plug DEVICE", "Put a device's cable back", func(args []string) (string, any) {
			return "/plug", plugRequest{Device: args[0]}
		}), words(1, deviceNames())),
		withArgs(act("stop cloud|agent", "Stop the cloud or the agent", func(args []string) (string, any) {
			return "/stop", programRequest{Program: args[0]}
		}), words(1, program)),
		withArgs(act("start cloud|agent", "Start it again", func(args []string) (string, any) {
			return "/start", programRequest{Program: args[0]}
		}), words(1, program)),
	}
}

func tapCommand() *cobra.Command {
	person, flaw, timed := 1, "", false
	cmd := act("tap-card", "A citizen puts an identity card on the kiosk's reader", func([]string) (string, any) {
		return "/tap-card", tapRequest{Person: person, Flaw: flaw, Timed: timed}
	})
	cmd.Flags().BoolVar(&timed, "timed", false, "say when the card was laid there and when the reader found it")
	oneOf(cmd, &flaw, string(hardware.Damaged), "all that the reader says of the card arrives damaged")
	oneOf(cmd, &flaw, string(hardware.Removed), "the card is taken away before it was read")
	oneOf(cmd, &flaw, string(hardware.Wrong), "the card is no identity card")
	cmd.Flags().IntVar(&person, "person", person, fmt.Sprintf("which of the invented people, 1 to %d", len(people)))
	return withArgs(cmd, func(cmd *cobra.Command, args []string) error {
		if person < 1 || person > len(people) {
			return fmt.Errorf("只有 1 到 %d 号人物 · there are people 1 to %d", len(people), len(people))
		}
		return cobra.NoArgs(cmd, args)
	})
}

func scanCommand() *cobra.Command {
	flaw, camera := "", false
	cmd := act("scan [PAYLOAD]", "A citizen holds a code before the kiosk's scanner", func(args []string) (string, any) {
		payload := "YSS-SIM-0001"
		if len(args) > 0 {
			payload = args[0]
		}
		return "/scan", scanRequest{Payload: payload, Flaw: flaw, Camera: camera}
	})
	oneOf(cmd, &flaw, garbage, "the scanner sends what is no code")
	oneOf(cmd, &flaw, tooLong, "the scanner sends more than a code has")
	cmd.Flags().BoolVar(&camera, "camera", false, "hold it before the camera of the desk instead")
	return withArgs(cmd, cobra.MaximumNArgs(1))
}

// oneOf gives a command a flag that sets chosen to its name; of several the last counts.
func oneOf(cmd *cobra.Command, chosen *string, name, usage string) {
	cmd.Flags().BoolFunc(name, usage, func(on string) error {
		if *chosen = ""; on == "true" {
			*chosen = name
		}
		return nil
	})
}

func pressCommand() *cobra.Command {
	timed, window := false, "1"
	keys := slices.Sorted(maps.Keys(padKeys))
	cmd := act("press ["+strings.Join(keys, "|")+"|0…9]", "Staff press a key of a window's pad, next if none is named",
		func(args []string) (string, any) {
			path, key := "/press", "next"
			if len(args) > 0 {
				key = args[0]
			}
			if timed {
				path = "/timed-press"
			}
			return path, pressRequest{Window: window, Key: key}
		})
	cmd.Flags().StringVar(&window, "window", window, "whose pad: 1, or 2, which has 21 keys")
	cmd.Flags().BoolVar(&timed, "timed", false, "wait until the LED panel changes and say when what happened")
	return withArgs(cmd, words(0, append(keys, strings.Split("0123456789", "")...)))
}

func withArgs(cmd *cobra.Command, check cobra.PositionalArgs) *cobra.Command {
	cmd.Args = check
	return cmd
}

// words wants one of each list's words in turn; those after the first least may be left out.
func words(least int, lists ...[]string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			all := strings.Join(lists[len(args)], " ")
			return fmt.Errorf("还要写明是哪个：%s · name one of these: %s", all, all)
		}
		if err := cobra.MaximumNArgs(len(lists))(cmd, args); err != nil {
			return err
		}
		for i, a := range args {
			if !slices.Contains(lists[i], a) {
				all := strings.Join(lists[i], " ")
				return fmt.Errorf("没有 %q，可以写：%s · there is no %q, write one of these: %s", a, all, a, all)
			}
		}
		return nil
	}
}

// act makes a command that sends one request to the demo's control socket.
func act(use, short string, request func(args []string) (path string, body any)) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	dir := cmd.Flags().String("demo", "var/demo", "directory of the running demo")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, body := request(args)
		answer, err := send(cmd.Context(), *dir, path, body)
		if err == nil && answer != "" {
			fmt.Fprintln(cmd.OutOrStdout(), answer)
		}
		return err
	}
	return cmd
}

func send(ctx context.Context, dir, path string, body any) (string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	socket := filepath.Join(dir, socketName)
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://demo"+path, bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("no demo runs in %s (start one with make run): %w", dir, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s", bytes.TrimSpace(text))
	}
	return string(bytes.TrimSpace(text)), nil
}
