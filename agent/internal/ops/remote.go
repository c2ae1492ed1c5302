package ops

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/relay"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/internal/web/trust"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// DoorFile is where a running agent leaves its address and a token for the doctor, inside the data directory.
const DoorFile = "doctor.json"

// Door is the content of DoorFile.
type Door struct {
	HTTP  string `json:"http"`           // host:port
	Root  []byte `json:"root,omitempty"` // whom the server's certificate is issued by, in DER; empty: it speaks plain HTTP
	Token string `json:"token"`
}

// Address is the address of the server's pages.
func (d Door) Address() string {
	if len(d.Root) > 0 {
		return "https://" + d.HTTP
	}
	return "http://" + d.HTTP
}

// Trust gives the root that machines are to trust that open the pages of the agent that runs, or ran last, and the address of its pages
// for them. It fails with *Error if the pages are for this machine alone.
func Trust(cfg *config.Config) (root trust.Root, address string, err error) {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return root, "", err
	}
	if len(d.Root) == 0 {
		return root, "", &Error{Code: rootMissing, Err: errors.New("the pages are served without TLS")}
	}
	if root, err = trust.ParseRoot(d.Root); err != nil {
		return root, "", err
	}
	web := cfg.Site.Web
	host, _, hostErr := net.SplitHostPort(web.Listen)
	_, port, portErr := net.SplitHostPort(d.HTTP)
	if hostErr == nil && portErr == nil {
		web.Listen = net.JoinHostPort(host, port)
	}
	web.Public = "" // that is for citizens, and may be another machine's
	return root, codes.PublicBase(web), nil
}

// client trusts the door's root and no other.
func (d Door) client() (*http.Client, error) {
	if len(d.Root) == 0 {
		return http.DefaultClient, nil
	}
	root, err := trust.ParseRoot(d.Root)
	if err != nil {
		return nil, fmt.Errorf("door for the doctor: %w", err)
	}
	// One question, one connection: nobody keeps it for another.
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: root.Pool()}, DisableKeepAlives: true,
	}}, nil
}

// LeaveDoor writes DoorFile; only the agent's user and root can read it.
func LeaveDoor(data string, d Door) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	path := filepath.Join(data, DoorFile)
	if err := os.WriteFile(path+".tmp", raw, 0o600); err != nil {
		return fmt.Errorf("door for the doctor: %w", err)
	}
	return os.Rename(path+".tmp", path)
}

// Why a running agent cannot be asked.
const (
	agentNotRunning problem.Code = "agent_not_running"
	agentForbidden  problem.Code = "agent_forbidden" // file
	agentSilent     problem.Code = "agent_silent"    // reason
	agentRefuses    problem.Code = "agent_refuses"   // status
	rootMissing     problem.Code = "web_root_missing"
)

// Error is a failure for which people have a sentence.
type Error struct {
	Code problem.Code
	Args map[string]string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Code, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Sentence gives what people read about an error: the text of its code, or else its own.
func Sentence(err error, texts *problem.Catalog) string {
	var e *Error
	if errors.As(err, &e) {
		return texts.Say(string(e.Code), e.Args)
	}
	return err.Error()
}

// Device is a configured device as the running agent tells of it.
type Device struct {
	hallsync.DeviceStatus
	Title    string            `json:"title"`
	Detail   string            `json:"detail"`
	Where    string            `json:"where"`
	Node     string            `json:"node"`
	Port     string            `json:"port"`
	Counters map[string]uint64 `json:"counters"` // opens, failures, jobs and garbage since the start of the agent
	Cause    *Cause            `json:"cause"`    // what is behind its trouble
}

// Cause is one thing to mend for several devices.
type Cause struct {
	Code    problem.Code `json:"code"`
	Title   string       `json:"title"`
	Subject string       `json:"subject"`
	Devices []string     `json:"devices"`
}

// Devices asks the running agent how its devices are.
func Devices(ctx context.Context, cfg *config.Config) ([]Device, error) {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return nil, err
	}
	return d.devices(ctx)
}

func (d Door) devices(ctx context.Context) ([]Device, error) {
	var answer struct{ Devices []Device }
	err := d.ask(ctx, http.MethodGet, "/api/v1/devices", nil, &answer)
	return answer.Devices, err
}

// TestDevice asks the running agent to let a device show that it works.
func TestDevice(ctx context.Context, cfg *config.Config, name string) error {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return err
	}
	return d.ask(ctx, http.MethodPost, "/api/v1/devices/"+url.PathEscape(name)+"/test", nil, nil)
}

// Cameras asks the running agent how its cameras are, and by what they are known.
func Cameras(ctx context.Context, cfg *config.Config) ([]relay.Known, error) {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return nil, err
	}
	var answer struct{ Cameras []relay.Known }
	err = d.ask(ctx, http.MethodGet, "/api/v1/cameras", nil, &answer)
	return answer.Cameras, err
}

// AdoptCamera tells the running agent that the machine that was seen at a camera's address is the camera from now on.
func AdoptCamera(ctx context.Context, cfg *config.Config, c relay.Known) error {
	d, err := findDoor(cfg.Site.Data)
	if err != nil {
		return err
	}
	return d.ask(ctx, http.MethodPost, "/api/v1/cameras/"+url.PathEscape(c.Code)+"/adopt", map[string]pin.Machine{"seen": c.Seen}, nil)
}

// reachable is where an agent that listens on all addresses is found from the box itself.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// findDoor gives the way into the running agent.
func findDoor(data string) (Door, error) {
	path := filepath.Join(data, DoorFile)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return Door{}, &Error{Code: agentForbidden, Args: map[string]string{"file": path}, Err: err}
	case err != nil:
		return Door{}, &Error{Code: agentNotRunning, Err: err}
	}
	var d Door
	if err := json.Unmarshal(raw, &d); err != nil {
		return Door{}, &Error{Code: agentNotRunning, Err: fmt.Errorf("%s: %w", path, err)}
	}
	d.HTTP = reachable(d.HTTP)
	return d, nil
}

// askLimit bounds each question to the running agent: a test of a device that people work with waits for them.
const askLimit = 40 * time.Second

// ask puts a question to the running agent. body and into may be nil.
func (d Door) ask(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.Address()+path, sent)
	if err != nil {
		return err
	}
	client, err := d.client()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.Token)
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	res, err := client.Do(req)
	if err != nil {
		return &Error{Code: agentSilent, Args: map[string]string{"reason": err.Error()}, Err: err}
	}
	defer res.Body.Close()
	answer := io.LimitReader(res.Body, 4<<20)
	if res.StatusCode >= http.StatusBadRequest {
		var p struct{ Detail, Advice string }
		if json.NewDecoder(answer).Decode(&p) == nil && p.Detail != "" {
			return errors.New(p.Detail + p.Advice)
		}
		return &Error{Code: agentRefuses, Args: map[string]string{"status": res.Status}, Err: errors.New(res.Status)}
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer).Decode(into)
}
