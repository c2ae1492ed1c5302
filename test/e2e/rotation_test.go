package e2e_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the centre's database

	"halledge/test/demo"
)

// TestIndexKeyIsRotated is the day on which the key of the hall's index of people is a year old. The hall has the next one as soon as it
// connects, while it works; a person has two names, and one number for one thing; and the centre finds all that he has done.
func TestIndexKeyIsRotated(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	events := d.Stream(t, "kiosk")
	d.Sim(t, "tap-card")
	first := takeWith(t, d, shown(t, events, "idcard"), "A", http.StatusCreated).Ticket
	before := takenFact(t, d, first.ID).Person

	d.Sim(t, "stop", "cloud")
	aYearLater(t, d)
	d.Sim(t, "start", "cloud")
	demo.Until(t, demo.Patience, "the hall has the next key", func() error {
		log, err := os.ReadFile(filepath.Join(d.Dir, "logs", "hall-agent.log"))
		if err == nil && !bytes.Contains(log, []byte("index of people has other keys")) {
			err = fmt.Errorf("it has not")
		}
		return err
	})
	d.Sim(t, "tap-card")
	twice(t, d, shown(t, events, "idcard"))

	d.Sim(t, "stop", "agent") // it uses the next key from its next start on
	d.Sim(t, "start", "agent")
	demo.Until(t, demo.Patience, "the hall is back", func() error { return d.Ready(d.Info.Agent.URL) })
	events = d.Stream(t, "kiosk")
	d.Sim(t, "tap-card")
	again := shown(t, events, "idcard")
	twice(t, d, again)
	second := takeWith(t, d, again, "B", http.StatusCreated).Ticket
	if now := takenFact(t, d, second.ID).Person; now != before {
		t.Errorf("he is %s and was %s on the same day", now, before)
	}
	d.Sim(t, "tap-card", "--person", "2")
	other := takeWith(t, d, shown(t, events, "idcard"), "A", http.StatusCreated).Ticket
	takenFact(t, d, other.ID)
	for typed, want := range map[string]int{hisNumber: 6, "991101198811120021": 3} { // by the old key, and by the new one; each number with its slip
		demo.Until(t, demo.Patience, "the facts are found", func() error {
			if n := found(t, d, typed); n != want {
				return fmt.Errorf("%d facts are found, want %d", n, want)
			}
			return nil
		})
	}
}

// twice wants no second number for one thing.
func twice(t *testing.T, d *demo.Demo, identity string) {
	t.Helper()
	body := map[string]any{"queue": "A", "channel": "kiosk", "identity": identity}
	var refused struct{ Code string }
	if d.Post(t, "kiosk", "/api/v1/tickets", body, http.StatusConflict).Into(t, &refused); refused.Code != "already_waiting" {
		t.Errorf("refused with %s", refused.Code)
	}
}

// aYearLater makes the index keys of the halls a year older.
func aYearLater(t *testing.T, d *demo.Demo) {
	t.Helper()
	db, err := sql.Open("sqlite", d.Info.Cloud.DB)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE index_keys SET made_ms = made_ms - 366 * 86400000`); err != nil {
		t.Fatal(err)
	}
}
