package cloud_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/strictyaml"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/edge"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/province"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// edgeRow says how those are answered who come to a route of the boxes' door. {bundle} is one of the hall's own.
type edgeRow struct {
	path  string
	may   string // halls; "code" is who has a code that enrols, "signed" who signs the question with the key that stands at his hall
	want  string // the answer to those who are let in and send nothing that makes sense
	other string // the answer to another hall, if it is none of its business
}

func edgeRows() map[string]edgeRow {
	return map[string]edgeRow{
		"POST " + hallsync.PathEnrol:   {path: hallsync.PathEnrol, may: "code", want: "400 edge_message"},
		"POST " + hallsync.PathRenew:   {path: hallsync.PathRenew, may: "halls", want: "400 edge_message"},
		"POST " + hallsync.PathRenewal: {path: hallsync.PathRenewal, may: "signed", want: "401 edge_unproved"},
		"POST " + province.Path:        {path: province.Path, may: "signed", want: "401 edge_unproved"},
		"GET /edge/v1/bundles/{id}":    {path: "/edge/v1/bundles/{bundle}", may: "halls", want: "200", other: "404 not_found"},
	}
}

// Every route of the boxes' door has a row, and every row a route.
func TestPatternsOfBoxesHaveRows(t *testing.T) {
	table := edgeRows()
	for _, pattern := range edge.Patterns() {
		if table[pattern].path == "" {
			t.Errorf("%s has no row", pattern)
		}
		delete(table, pattern)
	}
	for pattern := range table {
		t.Errorf("%s is not answered", pattern)
	}
}

// Nothing else of the centre answers HTTP: what would has to come into a matrix first.
func TestServersAreThoseOfTheMatrices(t *testing.T) {
	known := []string{
		"internal/edge/edge.go: http.NewServeMux(", "internal/edge/edge.go: http.Server{", // edgeRows
		"internal/web/web.go: http.NewServeMux(", "internal/web/web.go: http.Server{", // parts
		"internal/web/api/api.go: http.NewServeMux(", // rows, by openapi.json
		"internal/media/alone/main.go: http.Server{", // the video node by itself, for its tests
	}
	mark := regexp.MustCompile(`http\.(NewServeMux\(|Server\{|Handle\(|HandleFunc\(|ListenAndServe|Serve\()`)
	var found []string
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.Name() == "node_modules":
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range mark.FindAllString(string(text), -1) {
			found = append(found, filepath.ToSlash(path)+": "+m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(known)
	slices.Sort(found)
	if !slices.Equal(known, found) {
		t.Errorf("servers and muxes:\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(known, "\n"))
	}
}

// At the boxes' door each hall has what is its own, by TLS as by TLCP; who shows a certificate that is none of a hall in force gets no answer at all.
func TestWhoMayDoWhatAtTheDoorOfBoxes(t *testing.T) {
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pem, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	o := startOffice(t, func(c *config.Config) {
		c.Edge.TLCP = "127.0.0.1:0"
		c.Province = config.Province{URL: "http://127.0.0.1:1/", Name: "centre", Key: strictyaml.NewSecret(pem), Peer: config.VerifyKey{PublicKey: key.Public()}}
		c.Halls = append(c.Halls, config.Hall{Code: noHall, Name: "丙厅"})
	})
	by := pki.Actor{Name: "root", By: "command"}
	boxes := map[hallsync.HallID]*enrolled{}
	for _, id := range []hallsync.HallID{hall, otherHall, noHall} {
		code, err := o.register.NewCode(t.Context(), id, "", time.Hour, by)
		if err != nil {
			t.Fatal(err)
		}
		boxes[id] = enrol(t, o.addr.EdgeTLS, code)
	}
	if _, err := o.register.Revoke(t.Context(), noHall, "lost", by); err != nil {
		t.Fatal(err)
	}
	own := o.certify()
	for name, dial := range map[string]func() (net.Conn, error){
		"a revoked box by TLS":  func() (net.Conn, error) { return boxes[noHall].dial(t, o.addr.EdgeTLS, false) },
		"a revoked box by TLCP": func() (net.Conn, error) { return boxes[noHall].dial(t, o.addr.EdgeTLCP, true) },
		"a person": func() (net.Conn, error) {
			return tls.Dial("tcp", o.addr.EdgeTLS, &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}})
		},
	} {
		if answer, err := answerOf(t, dial, http.MethodPost, hallsync.PathRenew); err == nil {
			t.Errorf("%s is answered: %s", name, answer)
		}
	}
	bundle := o.publish(key)
	stranger := func() (net.Conn, error) {
		return tls.Dial("tcp", o.addr.EdgeTLS, &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS13})
	}
	for route, r := range edgeRows() {
		method, _, _ := strings.Cut(route, " ")
		check := func(who string, dial func() (net.Conn, error), id, want string) string {
			t.Helper()
			answer, err := answerOf(t, dial, method, strings.Replace(r.path, "{bundle}", id, 1))
			if got, _, _ := strings.Cut(answer, "\n"); err != nil || strings.TrimSpace(got) != want {
				t.Errorf("%s for %s: %s, %v, want %s", route, who, got, err, want)
			}
			return answer
		}
		want := r.want
		if r.may == "halls" {
			want = "401 edge_unproved"
			if method == http.MethodPost {
				want = "401 edge_no_hall"
			}
		}
		check("a stranger", stranger, bundle, want)
		for way, gmToo := range map[string]bool{"TLS": false, "TLCP": true} {
			dial := func(id hallsync.HallID) func() (net.Conn, error) {
				return func() (net.Conn, error) {
					if gmToo {
						return boxes[id].dial(t, o.addr.EdgeTLCP, true)
					}
					return boxes[id].dial(t, o.addr.EdgeTLS, false)
				}
			}
			check("the hall by "+way, dial(hall), bundle, r.want)
			if r.other == "" {
				check("another hall by "+way, dial(otherHall), bundle, r.want)
				continue
			}
			others := check("another hall by "+way, dial(otherHall), bundle, r.other)
			if none := check("nothing by "+way, dial(otherHall), strings.Repeat("0", 64), r.other); none != others {
				t.Errorf("%s: another's is %q, none is %q", route, others, none)
			}
		}
	}
}

// Whatever is asked at the boxes' door that is no route of it is answered as a problem, with the guards of every other answer.
func TestEveryAnswerToBoxesIsGuarded(t *testing.T) {
	o := startOffice(t)
	stranger := func() (net.Conn, error) {
		return tls.Dial("tcp", o.addr.EdgeTLS, &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS13})
	}
	ask := func(method, path, want string) {
		t.Helper()
		if answer, err := answerOf(t, stranger, method, path); err != nil || !strings.HasPrefix(answer, want) {
			t.Errorf("%s %.100s: %s, %v, want %s", method, path, answer, err, want)
		}
	}
	for route, r := range edgeRows() {
		asks, _, _ := strings.Cut(route, " ")
		if r.path == province.Path {
			continue // there is no platform
		}
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "POST", "OPTIONS", "TRACE", "PROPFIND", "X"} {
			if method != asks {
				ask(method, r.path, "405 method_not_allowed")
			}
		}
	}
	for _, path := range []string{"/", "/edge", "/edge/v1/", "/edge/v1/nothing", "/api/v1/halls", "/healthz", "/metrics", "/debug/pprof/", "/.env", "/%00", "/" + strings.Repeat("x", 8000)} {
		for _, method := range []string{http.MethodGet, http.MethodPost, "X"} {
			ask(method, path, "404 not_found")
		}
	}
}

// answerOf gives status, code and body of an answer on a connection.
func answerOf(t *testing.T, dial func() (net.Conn, error), method, path string) (string, error) {
	t.Helper()
	conn := func(context.Context, string, string) (net.Conn, error) { return dial() }
	c := http.Client{Transport: &http.Transport{DialTLSContext: conn, DisableKeepAlives: true}, Timeout: patience}
	r, err := http.NewRequestWithContext(t.Context(), method, "https://centre"+path, bytes.NewReader([]byte(`{}`)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	guarded(t, method+" "+path, resp, string(raw))
	var p struct{ Code string }
	_ = json.Unmarshal(raw, &p) // only problems have one
	return fmt.Sprintf("%d %s\n%s", resp.StatusCode, p.Code, raw), err
}

// publish gives the hall a notice, and the name of its bundle.
func (o *office) publish(key hallsync.MessageSigner) (bundle string) {
	o.t.Helper()
	st, err := store.Open(o.t.Context(), filepath.Join(o.dir, "cloud.db"), store.Options{Shared: true})
	if err != nil {
		o.t.Fatal(err)
	}
	defer st.Close()
	d := notices.New(notices.Options{Store: st, Content: key, Now: time.Now})
	order := notices.Order{Halls: []hallsync.HallID{hall}, Group: "hall", From: time.Now(), Until: time.Now().Add(time.Hour), Files: []notices.File{{Name: "a.txt", Data: []byte("停电通知\n明天检修")}}}
	if err := d.Publish(o.t.Context(), order, notices.Actor{Name: "root", By: "command"}); err != nil {
		o.t.Fatal(err)
	}
	all, err := d.List(o.t.Context())
	if err != nil || len(all) != 1 {
		o.t.Fatal(all, err)
	}
	return all[0].ID
}
