package life

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

// online waits until the hall is there, with all its facts stored and read.
func (c *centre) online(what string) (v view) {
	c.t.Helper()
	await.That(c.t, what, func() bool {
		v = c.sees()
		return v.State == "online" && v.Log.Stored == v.Log.HallLast && v.Log.Stored > 0 && v.Log.Unread == 0
	})
	return v
}

// A box breaks, and another one comes in its place with a code. No number of the day is given twice, what the old box said can be read as
// before, and the old box is out.
func TestAReplacedBox(t *testing.T) {
	t.Parallel()
	c := newCentre(t, "").start()
	old := newBox(t).start()
	numbers := []string{old.takes()} // it works alone before it is enrolled
	if said := old.enrols(c, c.does("enroll-code", hall)); !strings.Contains(said, "已接入中心") {
		t.Error(said)
	}
	numbers = append(numbers, old.takes(), old.takes()) // the broker is where the centre has said, without a start
	before := c.online("the first box")
	if before.tells("chain_broken") {
		t.Error("a box that worked alone at first is told to have broken its chain")
	}

	other := newBox(t)
	other.enrols(c, c.does("enroll-code", hall))
	other.start()
	numbers = append(numbers, other.takes(), other.takes())
	var now view
	await.That(t, "the other box", func() bool { now = c.online("its facts"); return now.Log.Epoch != before.Log.Epoch })
	if slices.Sort(numbers); len(slices.Compact(numbers)) != 5 || now.Log.Epochs != 2 {
		t.Errorf("numbers %q in %d logs", numbers, now.Log.Epochs)
	}
	await.That(t, "the old box is out", func() bool { return strings.Contains(old.doctor(), "uplink_refused") })
	var facts struct {
		Items []struct {
			Kind    string
			Payload json.RawMessage
		}
	}
	c.get("/api/v1/facts?hall="+hall+"&epoch="+before.Log.Epoch+"&kind=ticket.taken", &facts)
	if len(facts.Items) != 3 || !strings.Contains(string(facts.Items[2].Payload), `"A003"`) {
		t.Errorf("the old box's tickets are read as %+v", facts)
	}
	// That another log begins without the end of the one before it is asked of a person, who knows that the box was replaced.
	if !now.tells("chain_broken") {
		t.Error("nobody is told that another log has begun")
	}
	c.does("journal", "acknowledge", hall, "--reason", "换了设备")
	other.takes()
	await.That(t, "it is known", func() bool { return !c.sees().tells("chain_broken") })
}

// The other box already works when it is enrolled: from then on it gives no number that the old one may have given.
func TestABoxThatIsEnrolledAtWork(t *testing.T) {
	t.Parallel()
	c := newCentre(t, "").start()
	old := newBox(t)
	old.enrols(c, c.does("enroll-code", hall))
	old.start()
	old.takes()
	c.online(old.takes())
	old.stop()

	other := newBox(t).start()
	other.takes()
	other.enrols(c, c.does("enroll-code", hall))
	await.That(t, "the numbers of the old box are passed over", func() bool {
		var opened struct {
			Items []struct{ Payload hallsync.DayOpened }
		}
		c.get("/api/v1/facts?hall="+hall+"&kind=day.opened&epoch="+c.sees().Log.Epoch, &opened)
		return slices.ContainsFunc(opened.Items, func(f struct{ Payload hallsync.DayOpened }) bool { return f.Payload.Instead != "" })
	})
	if numbers := []string{other.takes(), other.takes()}; numbers[0] != "A1001" || numbers[1] != "A1002" {
		t.Errorf("the next numbers are %q", numbers)
	}
}

// Somebody copies a box. Both are out until an operator has found the one too many, and released the hall.
func TestACopiedBox(t *testing.T) {
	t.Parallel()
	c := newCentre(t, "").start()
	b := newBox(t)
	b.enrols(c, c.does("enroll-code", hall))
	b.start()
	b.takes()
	c.online("the box")
	b.stop()
	clone := newBox(t)
	if err := os.CopyFS(filepath.Join(clone.dir, "data"), os.DirFS(filepath.Join(b.dir, "data"))); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"data/identity", "data"} {
		own(t, filepath.Join(clone.dir, dir))
	}
	b.start()
	clone.start()
	await.That(t, "the hall is kept out", func() bool { return c.sees().tells("pki_kept_out") })
	for _, one := range []*box{b, clone} {
		await.That(t, "both are out", func() bool { return strings.Contains(one.doctor(), "uplink_refused") })
	}
	number := b.takes() // the hall goes on
	clone.stop()
	if said := c.does("release", hall); !strings.Contains(said, "已解除隔离") {
		t.Error(said)
	}
	b.stop() // a box waits up to a minute: whoever has no time starts it again
	b.start()
	await.That(t, "the hall is back", func() bool { v := c.online(number); return !v.tells("pki_kept_out") })
}

// own gives files the modes that copying has lost.
func own(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		mode := os.FileMode(0o600)
		if e.IsDir() {
			mode = 0o700
		}
		if err := os.Chmod(filepath.Join(dir, e.Name()), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// enrolled is what the centre has given a box.
func (b *box) enrolled() hallsync.Enrolled {
	b.t.Helper()
	raw, err := os.ReadFile(filepath.Join(b.dir, "data", "identity", "enrolled.json"))
	var kept struct{ Enrolled hallsync.Enrolled }
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return kept.Enrolled
}

// believes counts the keys of the centre that a box believes.
func (b *box) believes() int { return len(b.enrolled().Centre.Sign) }

// The centre changes its keys: once while the box is there, and twice while it is off.
func TestTheCentreChangesItsKeys(t *testing.T) {
	t.Parallel()
	c := newCentre(t, "").start()
	b := newBox(t)
	b.enrols(c, c.does("enroll-code", hall))
	b.start()
	b.takes()
	c.online("the box")
	rotate := func() {
		t.Helper()
		c.does("vault", "rotate")
		c.stop()
		c.start()
	}
	rotate()
	await.That(t, "the box knows the new key", func() bool { return b.believes() == 2 })
	c.online("the box is there")
	b.stop()
	rotate()
	rotate()
	b.start()
	await.That(t, "the box knows both", func() bool { return b.believes() == 4 })
	number := b.takes()
	c.online(number)
	if c.sees().tells("chain_broken") {
		t.Error("the chain is told to be broken")
	}
}
