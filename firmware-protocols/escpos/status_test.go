package escpos

import (
	"testing"

	"pgregory.net/rapid"
)

func anyStatus(t *rapid.T) Status {
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	return Status{Offline: flag("offline"), Waiting: flag("waiting"), FeedButton: flag("button"), DrawerHigh: flag("drawer"),
		CoverOpen: flag("cover"), FedByButton: flag("fed"), PaperStop: flag("stop"), Error: flag("error"),
		Recoverable: flag("recoverable"), Cutter: flag("cutter"), Unrecoverable: flag("unrecoverable"),
		AutoRecover: flag("auto"), NearEnd: flag("near"), PaperEnd: flag("end")}
}

// The four replies together carry the whole state, and so does automatic status but for two flags that follow from others.
func TestStatusRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyStatus(t)
		var got Status
		for q := QueryPrinter; q <= QueryPaper; q++ {
			if !got.SetReply(q, want.Reply(q)) {
				t.Fatalf("reply %#x to %d refused", want.Reply(q), q)
			}
		}
		if got != want {
			t.Fatalf("replies give %+v, want %+v", got, want)
		}
		want.PaperStop = want.PaperEnd
		want.Error = want.Recoverable || want.Cutter || want.Unrecoverable || want.AutoRecover
		got = Status{}
		if !got.SetASB(want.ASB()) || got != want {
			t.Fatalf("automatic status gives %+v, want %+v", got, want)
		}
		got = Status{}
		if !got.SetPaperReply(want.PaperReply()) || got.NearEnd != want.NearEnd || got.PaperEnd != want.PaperEnd {
			t.Fatalf("paper reply gives %+v, want %+v", got, want)
		}
	})
}

func TestRefusedRepliesChangeNothing(t *testing.T) {
	s := Status{CoverOpen: true}
	for _, b := range []byte{0x00, 0x10, 0x13, 0x11, 0x92, 0xFF} {
		if s.SetReply(QueryOffline, b) {
			t.Errorf("%#x taken for a DLE EOT reply", b)
		}
	}
	if s.SetReply(5, 0x12) {
		t.Error("a reply to a query that does not exist was taken")
	}
	for _, b := range [][4]byte{{0x12}, {0x10, 0x10}, {0x10, 0, 0x80}, {0x10, 0, 0, 0x90}} {
		if s.SetASB(b) {
			t.Errorf("% x taken for automatic status", b)
		}
	}
	if s.SetPaperReply(0x12) || s.SetPaperReply(0x80) {
		t.Error("a wrong byte was taken for a GS r reply")
	}
	if s != (Status{CoverOpen: true}) {
		t.Errorf("state became %+v", s)
	}
}

func TestReplyReader(t *testing.T) {
	var r ReplyReader
	kinds := func(b ...byte) (out []ReplyKind) {
		for _, reply := range r.Feed(b) {
			out = append(out, reply.Kind)
		}
		return out
	}
	check := func(got []ReplyKind, want ...ReplyKind) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	}
	check(kinds(0x12, 0x00, 0x11, 0x13), StatusReply, PaperReply, Resume, Pause)
	check(kinds(0x14, 0x00))
	check(kinds(0x03, 0x0F), AutoReply)
	check(kinds(0xFF, 0x80))
	check(kinds(0x1C, 0x00, 0x12), StatusReply) // automatic status broken off by a new connection
	if r.Garbage() != 4 {
		t.Errorf("%d bytes of noise, want 4", r.Garbage())
	}
}

func FuzzReplyReader(f *testing.F) {
	f.Add([]byte{0x12, 0x14, 0x00, 0x00, 0x0F, 0x11, 0x00, 0xFF})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r ReplyReader
		used := 0
		for _, b := range data { // byte by byte
			for _, reply := range r.Feed([]byte{b}) {
				used++
				var s Status
				switch reply.Kind {
				case AutoReply:
					used += 3
					if !s.SetASB(reply.Bytes) {
						t.Errorf("% x is no automatic status", reply.Bytes)
					}
				case StatusReply:
					if !s.SetReply(QueryPrinter, reply.Bytes[0]) {
						t.Errorf("%#x is no DLE EOT reply", reply.Bytes[0])
					}
				case PaperReply:
					if !s.SetPaperReply(reply.Bytes[0]) {
						t.Errorf("%#x is no GS r reply", reply.Bytes[0])
					}
				}
			}
		}
		if left := len(data) - used - int(r.Garbage()); left < 0 || left > 3 {
			t.Errorf("%d bytes: %d used, %d noise", len(data), used, r.Garbage())
		}
	})
}
