// Command alone runs a node by itself, for the chain in test/e2e/video, which starts it as a process. It reads one line of JSON
// with its settings and answers with one line that names its ports; after that each line "state" is answered by the cameras as
// one line of JSON, and what cameras are asked for goes out as lines that begin with "demand". It ends when its input ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/media"
)

// settings is the first line. Empty ports are chosen.
type settings struct {
	RTSP     string            `json:"rtsp"`
	WebRTC   string            `json:"webrtc"`
	Halls    map[string]string `json:"halls"`   // password by hall
	Cameras  map[string]string `json:"cameras"` // hall by camera
	User     string            `json:"user"`    // who may read and watch everything
	Password string            `json:"password"`
}

// Publisher implements ingest.Registry.
func (s *settings) Publisher(hall string) (string, bool) { p, ok := s.Halls[hall]; return p, ok }

// Hall implements ingest.Registry.
func (s *settings) Hall(camera string) (string, bool) { h, ok := s.Cameras[camera]; return h, ok }

// Reader implements ingest.Registry.
func (s *settings) Reader(user string) (string, bool) { return s.Password, user == s.User }

// Sees implements ingest.Registry.
func (s *settings) Sees(_, camera string) bool { _, ok := s.Cameras[camera]; return ok }

var errDenied = errors.New("wrong token")

func (s *settings) authorize(r *http.Request, _ string) (media.Permit, error) {
	if r.Header.Get("Authorization") != "Bearer "+s.Password {
		return media.Permit{}, errDenied
	}
	return media.Permit{}, nil
}

// ports is the first line out.
type ports struct {
	RTSP   string `json:"rtsp"`
	WebRTC string `json:"webrtc"`
	HTTP   string `json:"http"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return fmt.Errorf("read settings: %w", lines.Err())
	}
	s := &settings{RTSP: "127.0.0.1:0", WebRTC: "127.0.0.1:0"}
	if err := json.Unmarshal(lines.Bytes(), s); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	m, err := media.New(media.Config{RTSP: s.RTSP, WebRTC: s.WebRTC, Registry: s, Authorize: s.authorize, Messages: problem.NewCatalog(nil),
		Demand: func(camera string, wanted bool) { fmt.Fprintln(out, "demand", camera, wanted) }}, log)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, m.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	web := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(ln) }()

	enc := json.NewEncoder(out)
	err = enc.Encode(ports{RTSP: m.RTSPAddr().String(), WebRTC: m.WebRTCAddr().String(), HTTP: ln.Addr().String()})
	for err == nil && lines.Scan() {
		err = enc.Encode(m.Cameras())
	}
	cancel()
	if ended := <-done; !errors.Is(ended, context.Canceled) {
		err = errors.Join(err, ended)
	}
	err = errors.Join(err, web.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
