package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/test/await"
	"halledge/test/fakes/viewer"
)

const cameraCode = "440900000000001-CM001"

// publish lets ffmpeg play the hall's relay, and waits until the camera is live.
func (s *service) publish() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	push := exec.CommandContext(ctx, "ffmpeg", "-v", "quiet", "-re", "-f", "h264", "-stream_loop", "-1", "-i", "../test/fakes/clip/clip.h264",
		"-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://440900000000001:publish-me@"+s.addr.RTSP+"/"+cameraCode)
	if err := push.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cancel()
		_ = push.Wait() // it was killed
	})
	s.until("live", func(d api.HallDetail) bool { return d.CamerasLive == 1 && d.CameraList[0].Live })
}

// beside changes the database from another process, as hall-cloud's commands do.
func beside(t *testing.T, database string, do func(*store.Tx) error) {
	t.Helper()
	st, err := store.Open(t.Context(), database, store.Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.Write(t.Context(), do), st.Close()); err != nil {
		t.Fatal(err)
	}
}

// person is a browser of somebody who is signed in.
type person struct {
	s      *service
	client *http.Client
}

func (s *service) signIn(user, password string) *person {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &person{s: s, client: &http.Client{Jar: jar}}
	if status := p.do(http.MethodPost, "/api/v1/session", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password)); status != http.StatusCreated {
		s.t.Fatalf("sign in: %d", status)
	}
	return p
}

func (p *person) do(method, path, body string) int {
	p.s.t.Helper()
	r, err := http.NewRequestWithContext(p.s.t.Context(), method, "http://"+p.s.addr.HTTP+path, strings.NewReader(body))
	if err != nil {
		p.s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(r)
	if err != nil {
		p.s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// Who may no longer be in sees no camera either: the pictures end with the session, within a second or so.
func TestViewingEndsWithTheSession(t *testing.T) {
	database := filepath.Join(t.TempDir(), "cloud.db")
	s := start(t, database)
	user := func(change func(*store.User)) {
		beside(t, database, func(tx *store.Tx) error {
			u := store.User{Name: "li", Password: phc.New([]byte("the right one")).String(), Origin: store.FromCLI, Created: time.Now(),
				Roles: rights.Roles{rights.Video}, Scope: rights.Whole()}
			change(&u)
			return tx.PutUser(u)
		})
	}
	user(func(*store.User) {})
	s.publish()
	for _, c := range []struct {
		name string
		end  func(*person)
	}{
		{"sign-out", func(p *person) { p.do(http.MethodDelete, "/api/v1/session", "") }},
		{"new password", func(*person) { user(func(*store.User) {}) }}, // hashed anew
		{"disabled", func(*person) { user(func(u *store.User) { u.Disabled = true }) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.signIn("li", "the right one")
			v, err := viewer.Open(t.Context(), viewer.Options{URL: "http://" + s.addr.HTTP + "/whep/" + cameraCode, Client: p.client})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := v.Close(); err != nil {
					t.Error(err)
				}
			}()
			program, err := viewer.Open(t.Context(), viewer.Options{URL: "http://" + s.addr.HTTP + "/whep/" + cameraCode, Token: token})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := program.Close(); err != nil {
					t.Error(err)
				}
			}()
			await.That(t, "both see pictures", func() bool { return v.Pictures() > 5 && program.Pictures() > 5 })
			c.end(p)
			await.That(t, "the node ended the viewing", v.Ended)
			seen := program.Pictures()
			await.That(t, "the program with a token goes on", func() bool { return program.Pictures() > seen+5 })
			var refused *viewer.RefusedError
			if _, err := viewer.Open(t.Context(), viewer.Options{URL: "http://" + s.addr.HTTP + "/whep/" + cameraCode, Client: p.client}); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
				t.Errorf("coming back: %v", err)
			}
			if err := program.Leave(t.Context()); err != nil {
				t.Error(err)
			}
			s.until("nobody looks", func(d api.HallDetail) bool { return d.CameraList[0].Viewers == 0 })
		})
	}
}

// Every refusal is a problem document with a code and a Chinese sentence, wherever it comes from.
func TestRefusalsAreProblems(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "cloud.db"))
	for request, want := range map[string]string{
		"POST /": "405 method_not_allowed", "PUT /halls": "405 method_not_allowed", "POST /healthz": "405 method_not_allowed",
		"DELETE /readyz": "405 method_not_allowed", "PATCH /metrics": "405 method_not_allowed", "POST /favicon.svg": "405 method_not_allowed",
		"GET /assets/none.js": "404 not_found", "GET /api": "404 not_found", "GET /api/": "404 not_found", "POST /api/v1/none": "404 not_found",
		"GET /api/v9/halls": "404 not_found", "PUT /api/v1/halls": "405 method_not_allowed", "DELETE /api/v1/audit": "405 method_not_allowed",
		"GET /api/v1/audit": "403 not_allowed", "GET /whep/" + cameraCode: "405 method_not_allowed", "POST /whep/": "404 camera_unknown",
		"POST /whep/" + cameraCode: "415 offer_invalid", "DELETE /whep/" + cameraCode + "/x": "404 session_gone", "BREW /": "405 method_not_allowed",
	} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr.HTTP+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var p struct{ Code, Title, Detail string }
		err = json.NewDecoder(resp.Body).Decode(&p)
		_ = resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", p.Code); err != nil || got != want || resp.Header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: %s as %s, want %s, %v", request, got, resp.Header.Get("Content-Type"), want, err)
		}
		if p.Title == "" || p.Detail == "" || p.Detail == p.Code {
			t.Errorf("%s: no sentence in %+v", request, p)
		}
		if resp.StatusCode == http.StatusMethodNotAllowed && resp.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", request)
		}
	}
}

// Two boxes that take turns under one identity are seen in the list of halls.
func TestTwoBoxesWithOneIdentityAreSeen(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "cloud.db"))
	for _, boot := range []string{"b1", "b2", "b1"} {
		b := s.box() // takes the session of the one before
		b.helloAs(boot, 1)
	}
	var page api.Page[api.Hall]
	s.get("/api/v1/halls", &page)
	if h := page.Items[0]; h.Severity != "error" || h.Finding == nil || h.Finding.Code != "identity_shared" {
		t.Errorf("%+v, %+v", h, h.Finding)
	}
}
