package cloud_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/ingest"
	persons "halledge/cloud/internal/person"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"
)

// certify has the register of certificates know the key that a hall signs with.
func certify(t *testing.T, st *store.Store, key gm.PrivateKey) {
	t.Helper()
	now := time.Now()
	issuer, err := cert.NewRoot(key, cert.Subject{CN: string(hall)}, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	c := issuer.Certificate()
	err = st.Write(t.Context(), func(tx *store.Tx) error {
		return tx.AddCertificate(store.Certificate{
			Serial: c.Serial(), Kind: string(pki.HallSign), Holder: string(hall), DER: c.DER(), From: now, Until: now.Add(time.Hour), Issued: now,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A hall that seals: its day is shown, its checkpoint is answered with a receipt, an order to erase a person reaches it at once, also from
// another process, and at each hello until it has answered, and then the person's ticket is nowhere.
func TestAHallSealsAndForgets(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "cloud.db")
	s := start(t, database)
	st, err := store.Open(t.Context(), database, store.Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	v, err := cloud.OpenVault(t.Context(), st, config.Config{Database: database}, false)
	if err != nil {
		t.Fatal(err)
	}
	box := sealedtest.New(t, v.Keys().Open, hall, "e1", time.Now())
	certify(t, st, box.Signer)
	const digest = "0123456789abcdef0123456789abcdef"
	box.Begin(chain.First, chain.Point{})
	box.NewKey(time.Now().UTC().Format(time.DateOnly), false)
	box.Add(hallsync.DayOpened{BusinessDay: "2026-11-23"})
	ticket := taken(1)
	ticket.Person = digest
	box.Add(ticket)
	box.Add(taken(2))
	at, _ := box.Checkpoint()

	b := s.box()
	b.hello(hallsync.Seq(len(box.Raw) + 1))
	ack := b.raw(box, 0)
	if r, err := chain.ParseReceipt(ack.Receipt); err != nil || r.Point != at.Point || !r.Signed(v.Keys().Sign...) {
		t.Fatalf("receipt %+v, %v", r, err)
	}
	s.until("two numbers taken", func(d api.HallDetail) bool { return d.TakenToday == 2 })

	opener := sealed.New(v)
	desk := persons.New(persons.Options{Store: st, Vault: v, Opener: opener, Rebuild: besideService(st, v, opener).RebuildHall, Term: time.Hour})
	order, err := desk.Erase(t.Context(), persons.Actor{Name: "root", By: "command"}, "申请书 7 号", hall, []string{digest})
	if err != nil || order.Facts != 1 {
		t.Fatalf("%+v, %v", order, err)
	}
	for comes := range 3 { // at once while it is there, and each time it comes
		if comes > 0 {
			b.hello(hallsync.Seq(len(box.Raw) + 1))
		}
		var signed json.RawMessage
		b.next(hallsync.DownCommands, &signed)
		opened, err := hallsync.OpenSigned(signed, hallsync.SignedCommand, hall, v.Keys().Sign...)
		var command hallsync.Command
		if err != nil || json.Unmarshal(opened.Body, &command) != nil || command.ID != order.ID {
			t.Fatalf("command %+v, %v", command, err)
		}
	}
	sent := len(box.Raw)
	box.Add(hallsync.PersonErased{Order: order.ID, Facts: []hallsync.Range{{From: 4, To: 4}}, Tickets: []hallsync.TicketID{"T1"}})
	b.raw(box, sent)
	s.until("one number left", func(d api.HallDetail) bool { return d.TakenToday == 1 })
	if left, err := desk.Orders(t.Context(), hall); err != nil || len(left) != 0 {
		t.Errorf("%d orders left, %v", len(left), err)
	}
	figures := s.read("/metrics")
	if !strings.Contains(figures, "hall_cloud_facts_total") || strings.Contains(figures, string(hall)) || strings.Contains(figures, digest) {
		t.Errorf("the figures name somebody, or are none: %.300s", figures)
	}
}

// read gives what is answered to this machine.
func (s *service) read(path string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr.HTTP+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
	}
	return string(body)
}

// besideService is what makes projections beside the service, as the command does.
func besideService(st *store.Store, v *vault.Vault, opener *sealed.Opener) *ingest.Ingester {
	c := sealedtest.Centre{Box: &sealedtest.Box{}, Store: st, Vault: v, Opener: opener, Now: time.Now()}
	return ingest.New(c.Options())
}

// raw sends what a box has written since a place in its log.
func (b *box) raw(box *sealedtest.Box, since int) hallsync.Ack {
	b.t.Helper()
	b.publish(hallsync.UpEvents, json.RawMessage(box.Batch(since)))
	var ack hallsync.Ack
	b.next(hallsync.DownAcks, &ack)
	return ack
}
