package web_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/codes"
	"halledge/firmware-protocols/hallsync"
)

// Threat 13: the token of a slip is of one ticket, of one hall and of one day. It may be looked at often, by whoever holds the slip; an
// act by it counts once, and of a ticket that is over, or of another day, or of another hall, there is none.
func TestThreat13TokensAreOfOneTicketOneHallOneDay(t *testing.T) {
	s := open(t)
	id := s.take("A")
	token, other := s.signer.Token(ticketID(id)), s.signer.Token("none")
	acts := func(token string) (withdraw, rate reply) {
		return s.post(token, "/api/v1/tickets/"+id+"/withdraw", nil),
			s.post(token, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "satisfied"})
	}
	for what, foreign := range map[string]string{
		"another hall's":       tokenOf(t, s.dir, "440900000000002", id),
		"another key's":        tokenOf(t, t.TempDir(), hallsync.HallID(s.site.Hall.Code), id),
		"one with a short MAC": strings.TrimRight(token[:len(token)-6], "."),
		"one without a MAC":    "HE1." + id + ".",
		"one with a long MAC":  token + base64.RawURLEncoding.EncodeToString([]byte("more")),
		"another ticket's MAC": "HE1." + id + other[strings.LastIndex(other, "."):],
		"its MAC otherwise":    token[:len(token)-1] + string(otherwise(token[len(token)-1])),
	} {
		s.get(foreign, "/api/v1/tickets/"+id).want(t, http.StatusUnauthorized, "sign_in")
		withdraw, rate := acts(foreign)
		withdraw.want(t, http.StatusUnauthorized, "sign_in")
		rate.want(t, http.StatusUnauthorized, "sign_in")
		if r := s.get("", "/t/"+foreign); r.Status == http.StatusOK && strings.Contains(r.Raw, "A001") {
			t.Errorf("%s: the page shows the ticket", what)
		}
	}
	for range 3 { // a slip is looked at often
		s.get(token, "/api/v1/tickets/"+id).want(t, http.StatusOK, "")
	}
	withdraw, _ := acts(token)
	withdraw.want(t, http.StatusOK, "")
	before := s.get(staffToken, "/api/v1/tickets/"+id).Raw
	withdraw, rate := acts(token)
	if withdraw.Status < 400 || rate.Status < 400 {
		t.Errorf("of a ticket that is over: %d %d", withdraw.Status, rate.Status)
	}
	if after := s.get(staffToken, "/api/v1/tickets/"+id).Raw; after != before {
		t.Errorf("it has changed: %s, it was %s", after, before)
	}

	id = s.take("A")
	token = s.signer.Token(ticketID(id))
	s.later(24 * time.Hour)
	if withdraw, rate = acts(token); withdraw.Status < 400 || rate.Status < 400 {
		t.Errorf("of yesterday: %d %d", withdraw.Status, rate.Status)
	}
}

// otherwise gives a character that says the same as the last one of 16 bytes in base64, of which two bits count.
func otherwise(last byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, last)^1]
}

func tokenOf(t *testing.T, dir string, hall hallsync.HallID, id string) string {
	t.Helper()
	signer, err := codes.NewSigner(dir, hall, "")
	must(t, err)
	return signer.Token(ticketID(id))
}
