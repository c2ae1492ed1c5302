package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

const (
	hisNumber = "991101199003070016" // of the first of the invented people
	hisNote   = "带了旧本子，请慢慢讲"
)

// atDesk runs hall-cloud as an operator does at whose desk the person stands: the number is typed, and in no argument.
func atDesk(t *testing.T, d *demo.Demo, typed string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(d.Bin, "hall-cloud"), append(args, "--config", d.Info.Cloud.Config)...)
	cmd.Stdin = strings.NewReader(typed)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hall-cloud %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// found counts what the centre finds of the person.
func found(t *testing.T, d *demo.Demo, number string) int {
	t.Helper()
	said := atDesk(t, d, number+"\n", "person", "find")
	m := regexp.MustCompile(`大厅 ` + d.Agent.Hall + `：(\d+) 条，另有 0 条`).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("found: %s", said)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// dealings are those of the person and of somebody else: two numbers and an appointment of his, of which a window writes and he too.
func dealings(t *testing.T, d *demo.Demo) (his, theirs string) {
	t.Helper()
	events := d.Stream(t, "kiosk")
	tap := func(person string) string {
		d.Sim(t, "tap-card", "--person", person)
		return shown(t, events, "idcard")
	}
	first := takeWith(t, d, tap("1"), "A", http.StatusCreated).Ticket
	other := takeWith(t, d, tap("2"), "A", http.StatusCreated).Ticket
	takeWith(t, d, tap("1"), "B", http.StatusCreated)
	start := time.Now().Add(time.Hour)
	d.Post(t, "staff", "/api/v1/bookings", map[string]any{
		"booking": "AP-HIS", "queue": "A", "start": start, "end": start.Add(time.Hour), "id_number": hisNumber,
	}, http.StatusCreated)
	d.Verb(t, "1", "open", nil)
	if got := number(d.Verb(t, "1", "call-next", nil).Ticket); got != first.Number {
		t.Fatalf("window 1 called %s", got)
	}
	d.Verb(t, "1", "start", nil)
	d.Verb(t, "1", "transfer", map[string]any{"to": map[string]any{"queue": "A", "position": "end"}, "note": hisNote})
	return takenFact(t, d, first.ID).Person, takenFact(t, d, other.ID).Person
}

// TestPersonIsToldAndForgotten is what a citizen may ask for (PIPL articles 45 and 47): what the hall knows of him, and that it forgets him. The
// hall is away when that is ordered; of somebody else it is ordered while the hall is there, and it is told at once.
func TestPersonIsToldAndForgotten(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	digest, theirs := dealings(t, d)
	inCloud(t, d)
	if len(digest) != 32 {
		t.Fatalf("he is called %q", digest)
	}
	first := found(t, d, hisNumber)
	if first < 5 { // two numbers, an appointment, a call, a transfer
		t.Errorf("%d facts are found", first)
	}
	export := filepath.Join(t.TempDir(), "his.json")
	atDesk(t, d, hisNumber+"\n", "person", "export", export)
	raw, err := os.ReadFile(export)
	if err != nil || !bytes.Contains(raw, []byte(hisNote)) || !bytes.Contains(raw, []byte("AP-HIS")) || bytes.Contains(raw, []byte(hisNumber)) {
		t.Errorf("the export is %s, %v", raw, err)
	}

	d.Sim(t, "stop", "agent")
	records := kept(t, d)
	if said := atDesk(t, d, hisNumber+"\n", "person", "erase", "--reason", "申请书 1 号"); !strings.Contains(said, "等大厅执行") {
		t.Errorf("erased: %s", said)
	}
	if n := found(t, d, hisNumber); n >= first {
		t.Errorf("%d facts are found at the centre after the order", n)
	}
	d.Sim(t, "start", "agent")
	answers(t, d, 1)
	inCloud(t, d)
	d.Sim(t, "stop", "agent") // what follows is read from files that nobody has open
	verified(t, d)
	d.Sim(t, "stop", "cloud")
	nothing(t, d, append(records, hisNumber, hisNote, digest)...)

	d.Sim(t, "start", "cloud")
	d.Sim(t, "start", "agent")
	demo.Until(t, demo.Patience, "the centre is back", func() error { return d.Ready(d.Info.Cloud.URL) })
	demo.Until(t, demo.Patience, "the hall is back", func() error { return d.Ready(d.Info.Agent.URL) })
	if said := atDesk(t, d, hisNumber+"\n", "person", "erase", "--reason", "申请书 1 号"); strings.Contains(said, d.Agent.Hall) {
		t.Errorf("erased once more: %s", said)
	}
	hall, err := json.Marshal(d.Hall(t))
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string][]byte{"the hall's": hall}
	for _, path := range []string{"/api/v1/facts?hall=", "/api/v1/tickets?hall="} {
		pages[path] = d.GetCloud(t, path+d.Agent.Hall).Body
	}
	pages["the staff's"] = d.Get(t, "staff", "/api/v1/board").Body
	for name, page := range pages {
		forgets(t, name, page, hisNumber, hisNote, digest)
	}
	inCloud(t, d)
	atDesk(t, d, "", "person", "erase", "--digest", theirs, "--hall", d.Agent.Hall, "--reason", "申请书 2 号")
	answers(t, d, 2)
}

// answers waits until the hall has followed so many orders.
func answers(t *testing.T, d *demo.Demo, want int) {
	t.Helper()
	demo.Until(t, demo.Patience, "the hall has answered", func() error {
		n := 0
		for _, f := range cloudFacts(t, d) {
			if f.Kind == "person.erased" {
				n++
			}
		}
		if n < want {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	})
}

// forgets wants nothing of the person in what a program shows or keeps.
func forgets(t *testing.T, name string, all []byte, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("%s says %q", name, secret)
		}
	}
}

// verified wants both chains to be whole.
func verified(t *testing.T, d *demo.Demo) {
	t.Helper()
	if said := atDesk(t, d, "", "journal", "verify", "--hall", d.Agent.Hall); !strings.Contains(said, "有问题 0 条") || !strings.Contains(said, "已抹去") {
		t.Errorf("the centre: %s", said)
	}
	if said, err := d.Run("hall-agent", "journal", "verify", "--config", d.Agent.Config); err != nil {
		t.Errorf("the hall: %s, %v", said, err)
	}
}

// kept gives the sealed records of what was written about the person and of his appointment, as they lie at the hall and at the centre.
func kept(t *testing.T, d *demo.Demo) (records []string) {
	t.Helper()
	hall, err := os.ReadFile(filepath.Join(d.Dir, "agent", "data", "hall.db"))
	if err != nil {
		t.Fatal(err)
	}
	centre, err := os.ReadFile(d.Info.Cloud.DB)
	wal, err2 := os.ReadFile(d.Info.Cloud.DB + "-wal")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for _, kind := range []string{"ticket.transferred", "booking.set"} {
		m := regexp.MustCompile(`"kind":"` + kind + `"[^{}]*"sealed":"([A-Za-z0-9+/=]{40,})"`).FindSubmatch(hall)
		if m == nil || !bytes.Contains(append(centre, wal...), m[1]) {
			t.Fatalf("there is no %s", kind)
		}
		records = append(records, string(m[1]))
	}
	return records
}

// nothing wants nothing of the person in any file of hall and centre, whole and as bytes: not even sealed.
func nothing(t *testing.T, d *demo.Demo, secrets ...string) {
	t.Helper()
	for _, dir := range []string{filepath.Join(d.Dir, "agent"), filepath.Dir(d.Info.Cloud.DB)} {
		seen := 0
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			seen++
			raw, err := os.ReadFile(path)
			forgets(t, path, raw, secrets...)
			return err
		})
		if err != nil || seen < 3 {
			t.Errorf("%s has %d files, %v", dir, seen, err)
		}
	}
}
