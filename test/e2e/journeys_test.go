package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// slip waits for the n-th slip of a number and gives its text. Its picture must be there and be one.
func slip(t *testing.T, d *demo.Demo, number string, n int) string {
	t.Helper()
	name := filepath.Join(d.Slips, fmt.Sprintf("%s-%d", number, n))
	var text []byte
	demo.Until(t, demo.Patience, "slip "+name, func() (err error) {
		text, err = os.ReadFile(name + ".txt")
		return err
	})
	f, err := os.Open(name + ".png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("picture of the slip: %v", err)
	}
	if b := img.Bounds(); b.Dx() < 576 || b.Dy() < 400 {
		t.Errorf("picture of the slip is %dx%d", b.Dx(), b.Dy())
	}
	return string(text)
}

// printed waits until a ticket's slip is out, as the hall sees it.
func printed(t *testing.T, d *demo.Demo, id string) {
	t.Helper()
	demo.Until(t, demo.Patience, "ticket printed", func() error {
		var a struct{ Ticket demo.Ticket }
		d.Get(t, "staff", "/api/v1/tickets/"+id).Into(t, &a)
		if a.Ticket.Print != "printed" {
			return fmt.Errorf("print is %s", a.Ticket.Print)
		}
		return nil
	})
}

func TestSlipSaysWhatTheCitizenNeeds(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	first := d.Take(t, "A")
	second := d.Take(t, "A")
	if first.Number != "A001" || second.Number != "A002" || second.Ahead != 1 {
		t.Fatalf("tickets %+v, %+v", first, second)
	}
	text := slip(t, d, "A002", 1)
	for _, want := range []string{"茂名市政务服务大厅", "A002", "综合受理", "1", "/t/HE1."} {
		if !strings.Contains(text, want) {
			t.Errorf("slip does not say %q:\n%s", want, text)
		}
	}
	printed(t, d, second.ID)

	d.Sim(t, "paper", "kiosk-1.printer", "out")
	third := d.Take(t, "A")
	demo.Until(t, demo.Patience, "the failed slip", func() error {
		var a struct{ Ticket demo.Ticket }
		d.Get(t, "staff", "/api/v1/tickets/"+third.ID).Into(t, &a)
		if a.Ticket.Print != "failed" {
			return fmt.Errorf("print is %s", a.Ticket.Print)
		}
		return nil
	})
	d.Sim(t, "paper", "kiosk-1.printer", "ok")
	demo.Until(t, demo.Patience, "the reprint", func() error {
		a, err := d.Do(d.Agent.URL, d.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/tickets/"+third.ID+"/reprint", map[string]any{}, nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.Status, a.Body)
		}
		return err
	})
	if text := slip(t, d, "A003", 1); !strings.Contains(text, "补打") {
		t.Errorf("a reprinted slip does not say so:\n%s", text)
	}
}

// shown waits for what a citizen showed at the kiosk and gives the identity that lets it take a ticket.
func shown(t *testing.T, events <-chan demo.Event, kind string) (identity string) {
	t.Helper()
	deadline := time.After(demo.Patience)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the stream ended")
			}
			if e.Name != "input" {
				continue
			}
			var in struct{ Kind, Identity string }
			if err := json.Unmarshal([]byte(e.Data), &in); err != nil {
				t.Fatal(err)
			}
			if in.Kind != kind || in.Identity == "" {
				t.Fatalf("the kiosk heard %+v, want %s", in, kind)
			}
			return in.Identity
		case <-deadline:
			t.Fatalf("the kiosk heard of no %s", kind)
		}
	}
}

// citizen takes a ticket with an identity and checks the slip; the identity is worth nothing afterwards.
func citizen(t *testing.T, d *demo.Demo, identity, queue, number string) {
	t.Helper()
	body := map[string]any{"queue": queue, "channel": "kiosk", "identity": identity}
	var a struct{ Ticket demo.Ticket }
	d.Post(t, "kiosk", "/api/v1/tickets", body, http.StatusCreated).Into(t, &a)
	if a.Ticket.Number != number {
		t.Errorf("got %s, want %s", a.Ticket.Number, number)
	}
	if text := slip(t, d, number, 1); !strings.Contains(text, number) {
		t.Errorf("slip of %s:\n%s", number, text)
	}
	again, err := d.Do(d.Agent.URL, d.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/tickets", body, nil)
	if err != nil || again.Status < 400 || again.Status >= 500 {
		t.Errorf("a used identity was answered with %d, %v", again.Status, err)
	}
}

func TestCardAndCodeLeadToATicket(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	events := d.Stream(t, "kiosk")
	d.Sim(t, "tap-card")
	citizen(t, d, shown(t, events, "idcard"), "A", "A001")
	d.Sim(t, "scan", "YSS-SIM-0001")
	citizen(t, d, shown(t, events, "yss_code"), "B", "B001")
	for n, person := range []string{"7", "8", "9"} { // a residence permit, and both cards of foreigners
		d.Sim(t, "tap-card", "--person", person)
		citizen(t, d, shown(t, events, "idcard"), "A", fmt.Sprintf("A%03d", 2+n))
	}

	facts := inCloud(t, d)
	seen := map[string]int{}
	for _, f := range facts {
		seen[f.Kind]++
	}
	if seen["ticket.taken"] != 5 {
		t.Errorf("the cloud has %v", seen)
	}
	nothingPersonal(t, d)
}

// nothingPersonal greps everything the programs wrote for the invented people.
func nothingPersonal(t *testing.T, d *demo.Demo) {
	t.Helper()
	err := filepath.WalkDir(d.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range []string{"991101199003070016", "测试甲", "测试路1号", "19900307",
			"810000199003070007", "测试庚", "测试路2号", "H00000000", "UTO990190030710", "999000199003070003", "TEST, SPECIMEN"} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s contains %s", path, secret)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCallReachesPanelPadAndCloud(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Verb(t, "1", "open", nil)
	taken := d.Take(t, "A")
	d.Sim(t, "press", "next")
	demo.Until(t, demo.Patience, "the call on the panel", func() error {
		if led := d.Sim(t, "look", "hall.led"); !strings.Contains(led, "A001") || !strings.Contains(led, "1号窗口") {
			return fmt.Errorf("panel shows %q", led)
		}
		return nil
	})
	for strip, want := range map[string]string{"window-1.led": "A001", "window-2.led": "暂未开放"} {
		demo.Until(t, demo.Patience, "the window's strip", func() error {
			if shown := d.Sim(t, "look", strip); !strings.Contains(shown, want) {
				return fmt.Errorf("%s shows %q", strip, shown)
			}
			return nil
		})
	}
	demo.Until(t, demo.Patience, "the ticket on the pad", func() error {
		if pad := d.Sim(t, "look", "window-1.pad"); !strings.Contains(pad, "A001") {
			return fmt.Errorf("pad shows %q", pad)
		}
		return nil
	})
	h := d.Hall(t)
	if w := h.Windows[0]; w.Ticket == nil || w.Ticket.ID != taken.ID || w.Ticket.State != "called" {
		t.Errorf("window 1 is %+v", w)
	}
	inCloud(t, d)
}

// fact is an event as the cloud gives it.
type fact struct {
	Seq     uint64
	Epoch   string
	Kind    string
	Payload json.RawMessage
}

// cloudFacts reads the hall's whole log from the cloud.
func cloudFacts(t *testing.T, d *demo.Demo) (all []fact) {
	t.Helper()
	for {
		var page struct{ Items []fact }
		after := uint64(0)
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		d.GetCloud(t, fmt.Sprintf("/api/v1/facts?hall=%s&after=%d&size=200", d.Agent.Hall, after)).Into(t, &page)
		if len(page.Items) == 0 {
			return all
		}
		all = append(all, page.Items...)
	}
}

// inCloud waits until the cloud has everything the hall has now, gapless and once, and gives it.
func inCloud(t *testing.T, d *demo.Demo) (all []fact) {
	t.Helper()
	seq := d.Hall(t).Seq
	demo.Until(t, demo.Patience, "the facts in the cloud", func() error {
		all = cloudFacts(t, d)
		for i, f := range all {
			if f.Seq != uint64(i+1) {
				t.Fatalf("fact %d of the cloud has sequence %d", i+1, f.Seq)
			}
		}
		if uint64(len(all)) < seq {
			return fmt.Errorf("the cloud has %d facts of %d", len(all), seq)
		}
		return nil
	})
	return all
}

func TestHallGoesOnWithoutTheCloud(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Verb(t, "1", "open", nil)
	d.Take(t, "A")
	inCloud(t, d)
	d.Sim(t, "stop", "cloud")
	taken := map[string]bool{}
	for range 50 {
		taken[d.Take(t, "B").ID] = true
	}
	if got := d.Verb(t, "1", "call-next", nil); got.Ticket == nil {
		t.Fatal("nobody was called without the cloud")
	}
	if len(taken) != 50 {
		t.Errorf("%d different tickets", len(taken))
	}
	d.Sim(t, "start", "cloud")
	demo.Until(t, demo.Patience, "the cloud is back", func() error { return d.Ready(d.Info.Cloud.URL) })
	count := 0
	for _, f := range inCloud(t, d) {
		if f.Kind == "ticket.taken" {
			count++
		}
	}
	if count != 51 {
		t.Errorf("the cloud has %d tickets, want 51", count)
	}
	var tickets struct{ Total int }
	d.GetCloud(t, "/api/v1/tickets?hall="+d.Agent.Hall).Into(t, &tickets)
	if tickets.Total != 51 {
		t.Errorf("the cloud lists %d tickets, want 51", tickets.Total)
	}
}
