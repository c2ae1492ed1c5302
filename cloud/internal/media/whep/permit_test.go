package whep

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"halledge/test/await"
)

// permits gives everybody one permit, and counts how many are out.
type permits struct {
	done chan struct{}
	out  atomic.Int32
}

func (p *permits) config(c *Config) {
	c.Authorize = func(*http.Request, string) (Permit, error) {
		p.out.Add(1)
		return Permit{Done: p.done, Release: func() { p.out.Add(-1) }}, nil
	}
}

// A viewer is shown the camera for as long as it may look, and no longer.
func TestThreat29ViewingEndsWithThePermit(t *testing.T) {
	for name, network := range map[string]webrtc.NetworkType{"udp": webrtc.NetworkTypeUDP4, "tcp": webrtc.NetworkTypeTCP4} {
		t.Run(name, func(t *testing.T) {
			p := &permits{done: make(chan struct{})}
			n := startNode(t, p.config)
			f := n.publish()
			defer f.close()
			b := newBrowser(t, network)
			b.open(n)
			b.wait(5)
			if got := p.out.Load(); got != 1 {
				t.Errorf("%d permits are out", got)
			}
			close(p.done)
			await.That(t, "the browser knows", b.knows)
			await.That(t, "nobody is counted, the permit is given back", func() bool { return n.hub.Cameras()[0].Viewers == 0 && p.out.Load() == 0 })
			if res, body := n.request(http.MethodDelete, b.location, "", nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("the session is still there: %d %s", res.StatusCode, body)
			}
		})
	}
}

// A permit that ends before the line is up ends the session too; one that is refused for another reason is given back.
func TestServer_permitsAreGivenBack(t *testing.T) {
	p := &permits{done: make(chan struct{})}
	n := startNode(t, p.config)
	f := n.publish()
	defer f.close()
	for path, body := range map[string]string{Prefix + "nobody": "v=0", Prefix + cam: "noise"} {
		if res, _ := n.request(http.MethodPost, path, body, nil); res.StatusCode < 400 || p.out.Load() != 0 {
			t.Errorf("%s: %d, %d permits are out", path, res.StatusCode, p.out.Load())
		}
	}
	offer := newBrowser(t, webrtc.NetworkTypeUDP4).offer()
	if res, body := n.request(http.MethodPost, Prefix+cam, offer, nil); res.StatusCode != http.StatusCreated || p.out.Load() != 1 {
		t.Fatalf("%d %s, %d permits are out", res.StatusCode, body, p.out.Load())
	}
	close(p.done)
	await.That(t, "the viewer that never connected is gone", func() bool { return p.out.Load() == 0 })
}

// An offer that does not come in time is the sender's slowness, not nonsense.
func TestServer_slowOffer(t *testing.T) {
	p := &permits{}
	n := startNode(t, p.config)
	web := httptest.NewUnstartedServer(n.Server)
	web.Config.ReadTimeout = 100 * time.Millisecond
	web.Start()
	defer web.Close()
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST %s%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 100\r\n\r\nv=0", Prefix, cam); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusRequestTimeout || code(string(body)) != string(BodySlow) {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
}
