package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// actCommands act in a running demo as its citizens, staff and fitters.
func actCommands() []*cobra.Command {
	tap := act("tap-card", "A citizen puts an identity card on the kiosk's reader", func(cmd *cobra.Command) func([]string) (string, any) {
		person := cmd.Flags().Int("person", 1, "which of the invented people, from 1")
		return func([]string) (string, any) { return "/tap-card", tapRequest{Person: *person} }
	})
	scan := act("scan [PAYLOAD]", "A citizen holds a code before the kiosk's scanner", func(*cobra.Command) func([]string) (string, any) {
		return func(args []string) (string, any) {
			payload := "YSS-SIM-0001"
			if len(args) > 0 {
				payload = args[0]
			}
			return "/scan", scanRequest{Payload: payload}
		}
	})
	scan.Args = cobra.MaximumNArgs(1)
	press := act("press [next|recall|pass|pause|resume|login|logout|finish]", "Staff press a key of window 1's pad",
		func(cmd *cobra.Command) func([]string) (string, any) {
			timed := cmd.Flags().Bool("timed", false, "wait until the LED panel changes and say when what happened")
			return func(args []string) (string, any) {
				key := "next"
				if len(args) > 0 {
					key = args[0]
				}
				if *timed {
					return "/timed-press", pressRequest{Key: key}
				}
				return "/press", pressRequest{Key: key}
			}
		})
	press.Args = cobra.MaximumNArgs(1)
	plug := func(path, short string) *cobra.Command {
		c := act(path+" DEVICE", short, func(*cobra.Command) func([]string) (string, any) {
			return func(args []string) (string, any) { return "/" + path, plugRequest{Device: args[0]} }
		})
		c.Args = cobra.ExactArgs(1)
		return c
	}
	program := func(path, short string) *cobra.Command {
		c := act(path+" cloud|agent", short, func(*cobra.Command) func([]string) (string, any) {
			return func(args []string) (string, any) { return "/" + path, programRequest{Program: args[0]} }
		})
		c.Args = cobra.ExactArgs(1)
		return c
	}
	paper := act("paper DEVICE [out|low|ok]", "The paper of a printer runs out or is refilled", func(*cobra.Command) func([]string) (string, any) {
		return func(args []string) (string, any) {
			state := "out"
			if len(args) > 1 {
				state = args[1]
			}
			return "/paper", paperRequest{Device: args[0], State: state}
		}
	})
	paper.Args = cobra.RangeArgs(1, 2)
	return []*cobra.Command{tap, scan, press, paper,
		plug("look", "What the LED panel or the pad shows, for example hall.led"),
		program("stop", "Stop the cloud or the agent"), program("start", "Start it again"),
		plug("unplug", "Pull a device's cable, for example kiosk-1.printer"), plug("plug", "Put a device's cable back")}
}

// act makes a command that sends one request to the demo's control socket.
func act(use, short string, request func(*cobra.Command) func(args []string) (path string, body any)) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	dir := cmd.Flags().String("demo", "var/demo", "directory of the running demo")
	build := request(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, body := build(args)
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
