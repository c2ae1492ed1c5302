package main

import (
	"fmt"
	"net/url"
	"path/filepath"
)

// demo.json: what other programs and tests need to know of a running demo. Its shape is part of the public contract.
type (
	demoFile struct {
		Agent   agentFile    `json:"agent"`
		Cloud   cloudFile    `json:"cloud"`
		Devices []deviceFile `json:"devices"`
		Cameras []cameraFile `json:"cameras"`
		Slips   string       `json:"slips"`
	}
	agentFile struct {
		URL     string            `json:"url"`
		Hall    string            `json:"hall"`
		Windows []string          `json:"windows"`
		Queues  []string          `json:"queues"`
		Kiosks  []string          `json:"kiosks"`
		Screens []string          `json:"screens"`
		Tokens  map[string]string `json:"tokens"`
		Staff   []staffFile       `json:"staff"`
		Config  string            `json:"config"`
		PID     int               `json:"pid"`
	}
	staffFile struct {
		User   string `json:"user"`
		PIN    string `json:"pin"`
		Window string `json:"window"`
	}
	cloudFile struct {
		URL    string    `json:"url"`
		Token  string    `json:"token"`
		Admin  adminFile `json:"admin"`
		RTSP   string    `json:"rtsp"`
		DB     string    `json:"db"`
		Config string    `json:"config"`
		PID    int       `json:"pid"`
	}
	adminFile struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	deviceFile struct {
		Name  string `json:"name"`
		Class string `json:"class"`
		PTY   string `json:"pty"`
	}
	cameraFile struct {
		Code    string `json:"code"`
		Source  string `json:"source"`
		Relayed string `json:"relayed"`
		WHEP    string `json:"whep"`
	}
)

func (h *demoHall) describe() demoFile {
	s := h.secrets
	_, cloud := h.at()
	f := demoFile{
		Agent: agentFile{
			URL: h.agentURL(), Hall: hallCode, Windows: []string{"1", "2"}, Queues: []string{"A", "B", "C"},
			Kiosks: []string{"1"}, Screens: []string{"1"},
			Tokens: map[string]string{"kiosk": s.Kiosk, "screen": s.Screen, "staff": s.Staff, "ops": s.Ops},
			Config: h.agentConfig(), PID: h.agent.pid(),
		},
		Cloud: cloudFile{
			URL: h.cloudURL(), Token: s.API, Admin: adminFile{User: adminUser, Password: s.Admin},
			RTSP: "rtsp://" + cloud.RTSP, DB: h.database(), Config: h.cloudConfig(), PID: h.cloud.pid(),
		},
		Slips: filepath.Join(h.opts.dir, "slips"),
	}
	for _, p := range demoStaff {
		f.Agent.Staff = append(f.Agent.Staff, staffFile{User: p.id, PIN: s.PINs[p.id], Window: p.window})
	}
	for _, d := range devices {
		f.Devices = append(f.Devices, deviceFile{Name: d.name, Class: d.class, PTY: h.station.pty(d.name)})
	}
	for _, c := range h.cameraValues() {
		f.Cameras = append(f.Cameras, cameraFile{
			Code: c.Code, Source: withLogin(c.URL, "admin", cameraPassword),
			Relayed: withLogin(fmt.Sprintf("rtsp://%s/%s", cloud.RTSP, c.Code), videoUser, s.Viewer),
			WHEP:    h.cloudURL() + "/whep/" + c.Code,
		})
	}
	return f
}

// withLogin puts user and password into an address, for players that take nothing else.
func withLogin(address, user, password string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
