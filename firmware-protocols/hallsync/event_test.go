package hallsync_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

func TestSeqIsAStringWhereNumbersLoseDigits(t *testing.T) {
	for seq, want := range map[hallsync.Seq]string{
		0: `0`, 1: `1`, 1<<53 - 1: `9007199254740991`, 1 << 53: `9007199254740992`,
		1<<53 + 1: `"9007199254740993"`, 1<<64 - 1: `"18446744073709551615"`,
	} {
		b, err := json.Marshal(hallsync.Ack{UpTo: seq})
		if err != nil || !strings.Contains(string(b), `"upto":`+want+`,`) {
			t.Errorf("%d is written %s, %v; want %s", seq, b, err, want)
		}
		var back hallsync.Ack
		if err := json.Unmarshal(b, &back); err != nil || back.UpTo != seq {
			t.Errorf("%s is read as %d, %v", b, back.UpTo, err)
		}
	}
	for _, both := range []string{`7`, `"7"`} {
		var s hallsync.Seq
		if err := json.Unmarshal([]byte(both), &s); err != nil || s != 7 {
			t.Errorf("%s is read as %d, %v", both, s, err)
		}
	}
	for _, bad := range []string{`-1`, `1.0`, `1e3`, `""`, `"-1"`, `"+1"`, `"0x10"`, `" 7"`, `"7`, `null`, `true`, `[7]`, `18446744073709551616`} {
		var s hallsync.Seq
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s is read as %d", bad, s)
		}
	}
}

func TestHallCode(t *testing.T) {
	for code, want := range map[hallsync.HallID]bool{
		"440900000000001": true, "": false, "44090000000001": false, "4409000000000011": false, "44090000000000x": false,
		"４４０９０": false, "440900000000+01": false,
	} {
		if code.Valid() != want {
			t.Errorf("%q: valid %v, want %v", code, !want, want)
		}
	}
}

func TestWords(t *testing.T) {
	order := []hallsync.Class{hallsync.Normal, hallsync.Appointment, hallsync.Elder, hallsync.Priority}
	for i, c := range order {
		if !c.Valid() || i > 0 && c.Rank() <= order[i-1].Rank() {
			t.Errorf("class %s: valid %v, rank %d", c, c.Valid(), c.Rank())
		}
	}
	if c := hallsync.Class("vip"); c.Valid() || c.Rank() != hallsync.Normal.Rank() {
		t.Errorf("class %s: valid %v, rank %d", c, c.Valid(), c.Rank())
	}
	for state, open := range map[hallsync.TicketState]bool{
		hallsync.Waiting: true, hallsync.Called: true, hallsync.Serving: true, hallsync.Held: true, hallsync.Passed: true,
		hallsync.Done: false, hallsync.Abandoned: false, hallsync.Withdrawn: false, hallsync.Closed: false, "": false,
	} {
		if state.Open() != open {
			t.Errorf("state %q: open %v, want %v", state, !open, open)
		}
	}
	for _, c := range []hallsync.Channel{hallsync.AtKiosk, hallsync.AtDesk, hallsync.AtWindow, hallsync.Online} {
		if !c.Valid() {
			t.Errorf("channel %s is not valid", c)
		}
	}
	for _, g := range []hallsync.Grade{hallsync.VerySatisfied, hallsync.Satisfied, hallsync.Fair, hallsync.Dissatisfied, hallsync.VeryDissatisfied} {
		if !g.Valid() {
			t.Errorf("grade %s is not valid", g)
		}
	}
	if !hallsync.UnratedTimeout.Valid() || !hallsync.UnratedNextCall.Valid() || hallsync.Unrated("").Valid() {
		t.Error("the reasons for no rating are not two")
	}
	if hallsync.Channel("phone").Valid() || hallsync.Grade("5").Valid() {
		t.Error("an unknown channel or grade is valid")
	}
}

// sent is what testdata/v1/messages/<name>.json says, for ever.
func sent() map[string]any {
	at := time.Date(2026, 3, 2, 1, 26, 53, 0, time.UTC)
	list := signedList()
	return map[string]any{
		"ack": &hallsync.Ack{Hall: hall, Epoch: epoch, UpTo: 57, Want: &hallsync.Range{From: 58, To: 60}, PauseMS: 250, ServerMS: 1772414813589,
			EpochStale: true, Rejected: []hallsync.Rejection{{Seq: 12, Code: "payload"}}, Receipt: []byte{0, 1, 254, 255}},
		"batch": &hallsync.Batch{Events: []json.RawMessage{json.RawMessage(`{"seq":58}`), json.RawMessage(`{"seq":59}`)}},
		"command": &hallsync.Command{ID: "0195548c-0000-7000-8000-000000000001", Name: "notice.set", Args: json.RawMessage(`{"text":"今日15:00停止取号"}`),
			NotAfter: at.Add(time.Hour), Issued: at},
		"erase_person": &hallsync.ErasePerson{Order: "0195548c-0000-7000-8000-000000000002",
			Persons: []string{"5f0a3c9d1e2b4a685f0a3c9d1e2b4a68", "0123456789abcdef0123456789abcdef"}},
		"enrolled": &hallsync.EnrolAnswer{Enrolled: enrolled()},
		"hello":    &hallsync.Hello{Hall: hall, Epoch: epoch, First: 3, Next: 58, Boot: "b1", Version: "1.0.0", ClockMS: 1772414813589, Revision: 9},
		"report": &hallsync.Report{Hall: hall, Boot: "b1", Online: true, At: at, Version: "1.0.0", Name: "样例市政务服务中心", Profile: "full",
			Health:  []hallsync.Condition{{Code: "device_paper_low", Subject: "kiosk-1.printer", Severity: "warning", Title: "纸将尽", Advice: "请换纸", Since: at}},
			Devices: []hallsync.DeviceStatus{{Name: "kiosk-1.printer", Class: "printer", Model: "escpos-80", State: "degraded", Code: "paper_low", Since: at, Advice: "请换纸"}},
			Cameras: []hallsync.CameraStatus{{Code: "440900000000001-CM001", Name: "大门", Scene: 1, State: "relaying", Reason: "asked", Since: at, Codec: "H264", BitsPS: 2_000_000, Packets: 77}},
			Queues:  []hallsync.QueueStatus{{ID: "A", Name: "综合", Waiting: 4}},
			Windows: []hallsync.WindowStatus{{ID: "1", Name: "1号窗口"}},
			Log:     hallsync.LogStatus{Epoch: epoch, Last: 57, Acked: 55, FileBytes: 65536, FsyncP99Usec: 4100}},
		"renew":    &hallsync.RenewAsk{Requests: hallsync.Requests{TLS: []byte{48, 1}, SM2: []byte{48, 2}}},
		"settings": &hallsync.Settings{Revoked: &list},
		"waiting":  &hallsync.EnrolAnswer{RetryS: 300},
		"result":   &hallsync.Result{ID: "0195548c-0000-7000-8000-000000000001", State: "rejected", Code: "expired"},
		"time":     &hallsync.TimeReply{AskedMS: 1772414813000, ServerMS: 1772414813589},
	}
}

func TestMessagesOfTheFirstReleaseAreRead(t *testing.T) {
	for name, want := range sent() {
		file, err := os.ReadFile(filepath.Join(goldens, "messages", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer // without the file's line breaks, which raw fields would keep
		if err := json.Compact(&line, file); err != nil {
			t.Fatal(err)
		}
		b := line.Bytes()
		got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
		if err := json.Unmarshal(b, got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, want)
		}
		var fields, now map[string]any
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &now); err != nil || !reflect.DeepEqual(now, fields) {
			t.Errorf("%s is written as\n%s (%v), was\n%s", name, again, err, b)
		}
	}
}

func TestTopics(t *testing.T) {
	leaves := []string{hallsync.UpEvents, hallsync.UpHello, hallsync.UpResults, hallsync.UpState, hallsync.DownAcks, hallsync.DownCommands,
		hallsync.DownConfig, hallsync.DownTime}
	for _, leaf := range leaves {
		topic := hallsync.Topic(hall, leaf)
		if want := "hall/v1/440900000000001/" + leaf; topic != want {
			t.Errorf("%q, want %q", topic, want)
		}
		if h, l, ok := hallsync.ParseTopic(topic); !ok || h != hall || l != leaf {
			t.Errorf("%q is read as %q, %q, %v", topic, h, l, ok)
		}
	}
	for _, bad := range []string{"", "hall/v1/", "hall/v1/440900000000001", "hall/v1/440900000000001/", "hall/v1/440900000000001/up", "hall/v2/440900000000001/up/events",
		"hall/v1/44090000000000/up/events", "hall/v1/+/up/events", "hall/v1/440900000000001/up/events/", "hall/v1/440900000000001/#",
		"/hall/v1/440900000000001/up/events", "hall/v1/440900000000001/down/state", "$share/g/hall/v1/440900000000001/up/events"} {
		if h, leaf, ok := hallsync.ParseTopic(bad); ok || h != "" || leaf != "" {
			t.Errorf("%q is read as %q, %q, %v", bad, h, leaf, ok)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	f.Add("hall/v1/440900000000001/up/events")
	f.Add("hall/v1/440900000000001/up/events/")
	f.Fuzz(func(t *testing.T, topic string) {
		h, leaf, ok := hallsync.ParseTopic(topic)
		if ok && (!h.Valid() || hallsync.Topic(h, leaf) != topic) {
			t.Errorf("%q is read as %q, %q", topic, h, leaf)
		}
		if !ok && (h != "" || leaf != "") {
			t.Errorf("%q is refused with %q, %q", topic, h, leaf)
		}
	})
}
