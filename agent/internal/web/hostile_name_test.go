package web_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/drivers/device"
)

// nameMark stands in every hostile name, whatever is made of the rest of it.
const nameMark = "QzXmark"

// hostileNames are names that would open a cash drawer, fill a page, turn the direction of writing, or stand on top of other lines.
var hostileNames = map[string]string{
	"escape":       nameMark + "\x1Bp\x00\x19\xFA",
	"NUL":          "\x00" + nameMark,
	"ten thousand": nameMark + strings.Repeat("张", 10_000),
	"direction":    "\u202E" + nameMark + "\u2066",
	"zalgo":        nameMark + strings.Repeat("\u0301\u0489", 200),
}

// Threat 11: nobody's name is kept, so what a hostile one could do at a printer, on a screen or in the log it never gets to: it comes with
// a card, of which the number alone is digested, and no request has a place for it.
func TestThreat11NamesGoNowhere(t *testing.T) {
	for what, name := range hostileNames {
		t.Run(what, func(t *testing.T) {
			s := open(t)
			seen := map[string]string{}
			c := card()
			c.Name, c.Address = device.NewSecret(name), device.NewSecret(name)
			s.server.CardShown("kiosk-1", c)
			shown := s.shown(t)
			seen["what the kiosk is told"] = shown.Raw
			took := s.post(kioskToken, "/api/v1/tickets", map[string]any{"queue": "C", "channel": "kiosk", "identity": shown.at("input", "identity")}).want(t, http.StatusCreated, "")
			seen["the answer to the take"] = took.Raw
			id := took.text("ticket", "id")
			s.post(staffToken, "/api/v1/windows/3/open", map[string]string{"staff": "w01"})
			s.post(staffToken, "/api/v1/windows/3/next", nil)
			body := map[string]any{"queue": "A", "channel": "desk", "name": name}
			seen["a take with a name"] = s.post(staffToken, "/api/v1/tickets", body).want(t, http.StatusBadRequest, "").Raw
			body = map[string]any{"queue": "A", "start": s.now().Add(time.Hour), "end": s.now().Add(2 * time.Hour), "name": name}
			seen["an appointment with a name"] = s.post(staffToken, "/api/v1/bookings", body).want(t, http.StatusBadRequest, "").Raw
			for _, path := range []string{"/api/v1/tickets/" + id, "/api/v1/tickets", "/api/v1/hall", "/api/v1/board", "/api/v1/log", "/api/v1/bookings", "/api/v1/devices", "/metrics"} {
				for _, token := range []string{staffToken, opsToken} {
					seen[path] += s.get(token, path).Raw
				}
			}
			seen["the citizen's page"] = s.get("", "/t/"+s.signer.Token(ticketID(id))).want(t, http.StatusOK, "").Raw
			s.stop()
			must(t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				raw, err := os.ReadFile(path)
				seen[path] = string(raw)
				return err
			}))
			if !strings.Contains(seen["/api/v1/tickets/"+id], id) || len(seen) < 14 {
				t.Fatalf("too little was seen: %d things", len(seen))
			}
			for where, text := range seen {
				if bytes.Contains([]byte(text), []byte(nameMark)) {
					t.Errorf("%s holds the name", where)
				}
			}
		})
	}
}
