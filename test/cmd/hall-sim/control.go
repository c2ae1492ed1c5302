package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/gm"
	"halledge/test/fakes/hardware"
	"halledge/test/fakes/province"
)

// socketName is the demo's control socket in its directory.
const socketName = "sim.sock"

type (
	tapRequest struct {
		Person int
		Flaw   string
		Timed  bool
	}
	scanRequest struct {
		Payload, Flaw string
		Camera        bool
	}
	noiseRequest struct {
		Device string
		On     bool
	}
	pressRequest   struct{ Window, Key string }
	rateRequest    struct{ Stars int }
	plugRequest    struct{ Device string }
	programRequest struct{ Program string }
	paperRequest   struct{ Device, State string }
)

// cardWait is how long a tapped card lies on the reader before its owner gives up.
const cardWait = 10 * time.Second

// control serves the commands of other shells on a unix socket until ctx ends.
func (h *demoHall) control(ctx context.Context) error {
	s := h.station
	path := filepath.Join(h.opts.dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	handle(mux, "/tap-card", func(r tapRequest) (string, error) { return tap(ctx, s, r) })
	handle(mux, "/scan", func(r scanRequest) (string, error) { return "scanned", s.scan(r) })
	handle(mux, "/noise", func(r noiseRequest) (string, error) {
		if r.On {
			return r.Device + " says noise", s.disturb(r.Device, true)
		}
		return r.Device + " is clear again", s.disturb(r.Device, false)
	})
	handle(mux, "/press", func(r pressRequest) (string, error) { return "pressed", s.press(r) })
	handle(mux, "/rate", func(r rateRequest) (string, error) { return "rated", s.rate(r.Stars) })
	handle(mux, "/timed-press", func(r pressRequest) (string, error) { return s.timedPress(ctx, r) })
	handle(mux, "/unplug", func(r plugRequest) (string, error) { return r.Device + " unplugged", s.unplug(r.Device) })
	handle(mux, "/plug", func(r plugRequest) (string, error) { return r.Device + " plugged in", s.plug(r.Device) })
	handle(mux, "/paper", func(r paperRequest) (string, error) {
		return r.Device + " paper " + r.State, s.paper(r.Device, r.State)
	})
	handle(mux, "/stop", func(r programRequest) (string, error) {
		return r.Program + " stopped", h.program(r.Program, (*service).halt)
	})
	handle(mux, "/start", func(r programRequest) (string, error) {
		return r.Program + " starts", h.program(r.Program, (*service).resume)
	})
	handle(mux, "/province", h.behave)
	handle(mux, "/look", func(r plugRequest) (string, error) { return s.look(r.Device) })
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	<-ctx.Done()
	err = srv.Close()
	<-done
	return err
}

// program does something to the cloud or the agent.
func (h *demoHall) program(name string, do func(*service) error) error {
	switch name {
	case "cloud":
		return do(h.cloud)
	case "agent":
		return do(h.agent)
	}
	return fmt.Errorf("the programs are cloud and agent, not %q", name)
}

func tap(ctx context.Context, s *station, r tapRequest) (string, error) {
	if r.Person < 1 || r.Person > len(people) {
		return "", fmt.Errorf("there are people 1 to %d", len(people))
	}
	said := "card read"
	if r.Flaw != "" {
		said = "card taken away unread"
	}
	laid := time.Now()
	select {
	case <-s.reader.Tap(people[r.Person-1], hardware.Flaw(r.Flaw)):
		if r.Timed {
			raw, err := json.Marshal(tapTimes{Laid: laid.UnixNano(), Found: s.reader.Found().UnixNano()})
			return string(raw), err
		}
		return said, nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(cardWait):
		return "", errors.New("nobody read the card")
	}
}

// handle makes one command: JSON in, a sentence or an error out.
func handle[T any](mux *http.ServeMux, path string, do func(T) (string, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := do(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		fmt.Fprintln(w, answer)
	})
}

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
