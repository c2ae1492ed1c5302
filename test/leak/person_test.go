package leak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// notice has the centre show something on the hall's screens.
func (h *hall) notice(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notice.txt")
	if err := os.WriteFile(file, []byte("停电通知\n明天上午检修，请下午再来。\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.atDesk(t, "", "notice", "publish", "--hall", h.Agent.Hall, "--until", time.Now().AddDate(0, 0, 7).Format(time.DateOnly), file)
	h.atDesk(t, "", "notice", "list")
	demo.Until(t, demo.Patience, "the notice in the hall", func() error {
		var got struct{ Items []struct{ State string } }
		a := h.GetCloud(t, "/api/v1/notices")
		a.Into(t, &got)
		h.note("the notices", a.Body)
		if len(got.Items) != 1 || got.Items[0].State != "showing" {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
}

// forgotten has somebody found, told of and erased, who asks for that at the centre. What is made for him alone is searched by nobody.
func (h *hall) forgotten(t *testing.T) {
	t.Helper()
	own := filepath.Join(t.TempDir(), "his.json") // beside what is searched
	if said := h.atDesk(t, carded, "person", "find"); strings.Contains(said, h.Agent.Hall+"：0 条") {
		t.Errorf("nothing is found of him: %s", said)
	}
	h.atDesk(t, carded, "person", "export", own)
	if told, err := os.ReadFile(own); err != nil || !bytes.Contains(told, []byte("ticket.taken")) || bytes.Contains(told, []byte(carded)) {
		t.Errorf("he is told %.300s, %v", told, err)
	}
	h.atDesk(t, carded, "person", "erase", "--reason", "申请书 1 号")
	h.wire.cut()
	demo.Until(t, demo.Patience, "the hall to erase him", func() error {
		a := h.GetCloud(t, "/api/v1/facts?kind=person.erased&hall="+h.Agent.Hall)
		if !bytes.Contains(a.Body, []byte(`"person.erased"`)) {
			return errors.New("there is no answer")
		}
		return nil
	})
	for _, path := range []string{"/api/v1/hall", "/api/v1/log", "/api/v1/bookings"} {
		a, err := h.Do(h.Agent.URL, h.Agent.Tokens["ops"], http.MethodGet, path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.note(path+" after somebody is erased", a.Body)
	}
}

// atDesk runs hall-cloud as an operator does: a number is typed, and stands in no argument.
func (h *hall) atDesk(t *testing.T, typed string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), demo.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(h.Bin, "hall-cloud"), append(args, "--config", h.Info.Cloud.Config)...)
	cmd.Stdin = strings.NewReader(typed + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hall-cloud %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	h.note("hall-cloud "+strings.Join(args[:2], " "), out)
	return string(out)
}
