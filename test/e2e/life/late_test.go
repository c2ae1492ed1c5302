package life

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"halledge/test/await"
)

// asked gives the name of the one question that waits.
func (c *centre) asked() string {
	c.t.Helper()
	said := c.does("renewals")
	m := regexp.MustCompile(`申请 ([0-9a-f]{16}) `).FindStringSubmatch(said)
	if m == nil {
		c.t.Fatal(said)
	}
	return m[1]
}

// A box lay in a cupboard until its certificates were over, and the centre has changed its keys twice meanwhile. It asks with its own key, an
// operator approves it, and it comes back without a visit. The certificates are of an authority elsewhere, whose lives are as short as one says.
func TestABoxThatWasForgotten(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	c := newCentre(t, "pki: {tls_issuers: "+a.dir+"/tls.pem, sm2_issuers: "+a.dir+"/sm2.pem}\n")
	if a.signs(c, time.Hour) != 3 {
		t.Error("the centre does not ask for its own certificates")
	}
	c.start()
	b := newBox(t)
	code := c.does("enroll-code", hall, "--valid", "720h")
	if said := b.enrols(c, code); !strings.Contains(said, "还要有人办理") {
		t.Error(said)
	}
	const short = 4 * time.Second
	over := time.Now().Add(short)
	a.signs(c, short)
	if said := b.enrols(c, code); !strings.Contains(said, "已接入中心") {
		t.Error(said)
	}
	for range 2 {
		c.does("vault", "rotate")
		c.stop()
		c.start()
	}
	await.That(t, "the certificates are over", func() bool { return time.Now().After(over.Add(time.Second)) })

	b.start()
	number := b.takes() // the hall works all the same
	await.That(t, "it waits for somebody", func() bool { return strings.Contains(c.does("renewals"), "等待批准") })
	await.That(t, "the hall is told", func() bool { return strings.Contains(b.doctor(), "renewal_waiting") })
	if said := c.does("approve", hall, c.asked()); !strings.Contains(said, "已批准") {
		t.Error(said)
	}
	if said := c.does("renewals"); !strings.Contains(said, "批准，等设备来取") {
		t.Error(said)
	}
	again := func() { b.stop(); b.start() } // it asks every five minutes, and when it starts
	again()
	await.That(t, "the requests are there", func() bool { return a.signs(c, time.Hour) == 3 })
	again()
	c.online(number)
	if said := c.does("renewals"); strings.Contains(said, hall) {
		t.Error(said)
	}
	if n := b.believes(); n != 3 {
		t.Errorf("the box believes %d keys", n)
	}
}
