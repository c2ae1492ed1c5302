package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"
)

const (
	ratingSaid = "办事员态度很好，电话 13800000000"
	pauseSaid  = "去接张三"
	digestSaid = "0123456789abcdef0123456789abcdef"
)

func asViewer(r *http.Request) { r.Header.Set("Authorization", "Bearer "+viewerToken) }

// sealedHall has hall B seal what happens there.
func sealedHall(f *fixture) *sealedtest.Box {
	f.t.Helper()
	b := sealedtest.New(f.t, f.vault.Keys().Open, hallB, "s1", start)
	b.Begin(chain.First, chain.Point{})
	b.NewKey("2026-11-23", false)
	b.Add(hallsync.TicketTaken{
		Ticket: "S1", Number: "A001", BusinessDay: "2026-11-23", Queue: "A", Class: hallsync.Normal, Channel: hallsync.AtKiosk,
		Proof: hallsync.ProofIDCard, Person: digestSaid,
	})
	b.Add(hallsync.TicketRated{Ticket: "S1", Window: "1", Grade: hallsync.Fair, Text: ratingSaid})
	b.Add(hallsync.WindowWasPaused{Window: "1", Reason: pauseSaid})
	b.NewKey("2026-11-24", true) // the centre does not know it
	b.Add(hallsync.WindowWasUnpaused{Window: "1"})
	_, err := f.in.Ingest(f.t.Context(), hallB, b.Batch(0))
	must(f.t, err)
	return b
}

// What a sealed fact says is read by those who may, in full or without people, and by nobody when it cannot be opened. No filter and no order of
// any list tells it to others.
func TestSealedFacts(t *testing.T) {
	f := begin(t)
	sealedHall(f)
	var full, some api.Page[api.Fact]
	f.do("GET", "/api/v1/facts?epoch=s1&hall="+string(hallB), "").into(t, &full)
	f.do("GET", "/api/v1/facts?epoch=s1&hall="+string(hallB), "", asViewer).into(t, &some)
	if full.Total != 7 || some.Total != 7 {
		t.Fatalf("%d and %d facts", full.Total, some.Total)
	}
	for seq, said := range map[int]string{3: digestSaid, 4: ratingSaid, 5: pauseSaid} {
		if got := full.Items[seq-1]; !strings.Contains(string(got.Payload), said) || got.Sealed != "" {
			t.Errorf("fact %d: %s %q", seq, got.Payload, got.Sealed)
		}
		if got := some.Items[seq-1]; strings.Contains(string(got.Payload), said) || len(got.Payload) < 3 {
			t.Errorf("fact %d without people: %s", seq, got.Payload)
		}
	}
	if last := full.Items[6]; last.Sealed != "key_unknown" || string(last.Payload) != "null" {
		t.Errorf("without its key: %+v", last)
	}
	for _, query := range []string{"number=" + digestSaid, "queue=" + url.QueryEscape(ratingSaid), "window=" + url.QueryEscape(pauseSaid)} {
		var page api.Page[api.Ticket]
		f.do("GET", "/api/v1/tickets?hall="+string(hallB)+"&"+query, "").into(t, &page)
		if page.Total != 0 {
			t.Errorf("%s finds %d tickets", query, page.Total)
		}
	}
}

// Why a window rests says its fact, to those who may know who works there; what is wrong with a hall's log is one of its findings.
func TestSealedHall(t *testing.T) {
	f := begin(t)
	b := sealedHall(f)
	f.board.Touch(hallB, 255)
	path := "/api/v1/halls/" + string(hallB)
	var d, other api.HallDetail
	for deadline := time.Now().Add(20 * time.Second); d.Log.Unread != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("log %+v", d.Log)
		}
		d = api.HallDetail{}
		f.do("GET", path, "").into(t, &d)
	}
	f.do("GET", path, "", asViewer).into(t, &other)
	if d.WindowList[0].Reason != pauseSaid || other.WindowList[0].Reason != "" {
		t.Errorf("reason %q, without people %q", d.WindowList[0].Reason, other.WindowList[0].Reason)
	}
	codes := ""
	for _, c := range d.Health {
		codes += c.Code + " "
	}
	if codes != "key_unknown " {
		t.Errorf("health %s", codes)
	}
	err := f.st.Write(t.Context(), func(tx *store.Tx) error {
		return tx.DestroyDataKey(hallB, b.Keys[0].Key, start)
	})
	must(t, err)
	var page api.Page[api.Fact]
	f.do("GET", "/api/v1/facts?epoch=s1&hall="+string(hallB), "").into(t, &page)
	if got := fmt.Sprint(page.Items[3].Sealed, string(page.Items[3].Payload)); got != "key_destroyednull" {
		t.Errorf("after its term: %s", got)
	}
	f.do("GET", path, "").into(t, &other)
	if other.WindowList[0].Reason != "" {
		t.Errorf("reason after its term %q", other.WindowList[0].Reason)
	}
}
