// Package viewer gives WHEP viewers: WebRTC clients that ask a node for a camera as a page in a browser does, and count the whole
// pictures they get.
package viewer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/webrtc/v4"
)

// Viewer is one viewer of one camera.
type Viewer struct {
	pc       *webrtc.PeerConnection
	session  string // its address at the node
	token    string
	client   *http.Client
	asked    time.Time
	reading  sync.WaitGroup
	gathered <-chan struct{}

	mu       sync.Mutex
	pictures int
	key      bool // the first one was a key frame
	first    time.Duration
	state    webrtc.PeerConnectionState
}

// Options say how to watch. TCP: not over UDP.
type Options struct {
	URL    string       // of the endpoint, http://host:port/whep/CAMERA
	Token  string       // for Authorization: Bearer; may be empty
	Client *http.Client // with the cookies of somebody who is signed in; nil: the default one
	TCP    bool
}

// RefusedError is an answer other than 201.
type RefusedError struct {
	Status int
	Body   string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused with %d: %s", e.Status, e.Body) }

// Open asks for a camera and begins to watch; pictures come later. It fails with a *RefusedError when the node says no.
func Open(ctx context.Context, o Options) (*Viewer, error) {
	v, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if err := v.ask(ctx, o); err != nil {
		_ = v.pc.GracefulClose() // it never connected
		return nil, err
	}
	return v, nil
}

// prepare makes a connection with an offer.
func prepare(o Options) (*Viewer, error) {
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if o.TCP {
		se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("make connection: %w", err)
	}
	v := &Viewer{pc: pc, token: o.Token, client: o.Client, gathered: webrtc.GatheringCompletePromise(pc)}
	if v.client == nil {
		v.client = http.DefaultClient
	}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.state = s
	})
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { v.reading.Go(func() { v.read(t) }) })
	direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, direction)
	if err == nil {
		var offer webrtc.SessionDescription
		if offer, err = pc.CreateOffer(nil); err == nil {
			err = pc.SetLocalDescription(offer)
		}
	}
	if err != nil {
		_ = pc.GracefulClose() // it never connected
		return nil, fmt.Errorf("make offer: %w", err)
	}
	return v, nil
}

// ask sends the offer and takes the answer.
func (v *Viewer) ask(ctx context.Context, o Options) error {
	select {
	case <-v.gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	v.asked = time.Now()
	res, err := v.request(ctx, http.MethodPost, o.URL, v.pc.LocalDescription().SDP, http.StatusCreated)
	if err != nil {
		return err
	}
	if res.location == nil {
		return fmt.Errorf("read session address: %w", http.ErrNoLocation)
	}
	v.session = res.location.String()
	return v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: res.body})
}

// answer is what a node said; location is nil when it named none.
type answer struct {
	body     string
	location *url.URL
}

// request gives the answer to one request, and a *RefusedError when its status is not want.
func (v *Viewer) request(ctx context.Context, method, at, body string, want int) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/sdp")
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	res, err := v.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return answer{}, err
	}
	if res.StatusCode != want {
		return answer{}, &RefusedError{Status: res.StatusCode, Body: string(raw)}
	}
	location, err := res.Location()
	if err != nil && !errors.Is(err, http.ErrNoLocation) {
		return answer{}, err
	}
	return answer{body: string(raw), location: location}, nil
}

// read puts pictures together until the connection is closed.
func (v *Viewer) read(t *webrtc.TrackRemote) {
	dec := &rtph264.Decoder{PacketizationMode: 1}
	if err := dec.Init(); err != nil {
		return
	}
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		au, err := dec.Decode(p)
		if err != nil {
			continue
		}
		v.mu.Lock()
		if v.pictures == 0 {
			v.first, v.key = time.Since(v.asked), len(au) == 3 // SPS, PPS and the picture
		}
		v.pictures++
		v.mu.Unlock()
	}
}

// Pictures counts the whole pictures so far.
func (v *Viewer) Pictures() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pictures
}

// First gives the time from the request to the first picture, and whether that one needed no other.
func (v *Viewer) First() (after time.Duration, key bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.first, v.key
}

// Ended reports whether the node has ended the connection.
func (v *Viewer) Ended() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state == webrtc.PeerConnectionStateClosed || v.state == webrtc.PeerConnectionStateFailed
}

// Leave tells the node that the viewer goes, as a page that is closed properly.
func (v *Viewer) Leave(ctx context.Context) error {
	_, err := v.request(ctx, http.MethodDelete, v.session, "", http.StatusOK)
	return err
}

// Close ends the connection and waits until nothing of it is left.
func (v *Viewer) Close() error {
	err := v.pc.GracefulClose()
	v.reading.Wait()
	return err
}
