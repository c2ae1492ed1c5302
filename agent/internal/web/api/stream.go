package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/sse"
	"halledge/firmware-protocols/hallsync"
)

// A reader that comes back is told what it missed, unless that is more than maxMissed facts: then a snapshot says it shorter.
const (
	maxMissed      = 512
	maxMissedBytes = 1 << 20
)

// stream answers GET /api/v1/stream with server-sent events: snapshot (the hall), then change for each fact, whose id is the
// fact's sequence and whose data is the hall together with the fact's kind; health, help or gives when only that changed; input at a
// kiosk when somebody shows a card or code. Last-Event-ID resumes without a snapshot.
func (a *API) stream(w http.ResponseWriter, r *http.Request, who access.Who) {
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		a.problem(w, http.StatusServiceUnavailable, overloaded, nil)
		return
	}
	f := &follower{api: a, request: r, who: who, reader: a.reader(who, r.URL.Query()), place: a.place(who), beside: map[string]string{}}
	if last, ok := sse.LastEventID(r); ok {
		f.seq, f.resumed = hallsync.Seq(last), true
	}
	f.shown = a.opts.Inputs.Now()
	wake, stop := a.wake(r.Context(), f.place)
	defer stop()
	s, err := sse.Start(w, r, beats(r.URL.Query()))
	if err == nil {
		err = s.Follow(wake, f.next)
	}
	if err != nil {
		a.opts.Log.Debug("stream ended", "place", f.place, "error", err)
	}
}

// beatEvery is how often a reader that asks for beats hears something at the least: pages that hear nothing for longer say so and
// come again, for a machine that lost its power takes no leave.
const beatEvery = 4 * time.Second

// beats gives the stream's options for a reader: with beat in the query it gets beat events in times of silence.
func beats(q url.Values) sse.Options {
	if q.Has("beat") {
		return sse.Options{Heartbeat: beatEvery, Beat: "beat"}
	}
	return sse.Options{}
}

// follower is one reader of the stream and how far it has read.
type follower struct {
	api     *API
	request *http.Request
	who     access.Who
	reader  view.Reader
	place   string
	resumed bool              // seq is what an earlier connection has seen
	begun   bool              // a snapshot or the missed changes were sent
	seq     hallsync.Seq      // last fact sent
	shown   uint64            // last input sent
	beside  map[string]string // by event, what is no part of the log, as sent last
}

// errSignedOut ends the stream of somebody whose session is over.
var errSignedOut = errors.New("signed out")

// next gives the events since the last call.
func (f *follower) next() ([]sse.Event, error) {
	if who, err := f.api.opts.Door.Identify(f.request); err != nil || who != f.who {
		return nil, errSignedOut
	}
	v := f.api.show(f.who, f.reader)
	events, err := f.hall(v)
	if err != nil {
		return nil, err
	}
	if events, err = f.besides(v, events); err != nil {
		return nil, err
	}
	if f.who.May(access.Scan) {
		for e, ok := f.api.opts.Inputs.Next(f.place, f.shown); ok; e, ok = f.api.opts.Inputs.Next(f.place, f.shown) {
			raw, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			f.shown = e.N
			events = append(events, sse.Event{Name: "input", Data: raw})
		}
	}
	return events, nil
}

// besides adds an event for each part of the hall that changes without a fact, unless the hall as a whole is sent anyway.
func (f *follower) besides(v view.Hall, events []sse.Event) ([]sse.Event, error) {
	whole := len(events) > 0
	for _, part := range []struct {
		name  string
		value any
	}{{"health", v.Health}, {"help", v.Help}, {"paper", v.Paper}, {"gives", v.Gives}} {
		raw, err := json.Marshal(part.value)
		if err != nil {
			return nil, err
		}
		if sent, known := f.beside[part.name]; known && !whole && sent != string(raw) {
			events = append(events, sse.Event{Name: part.name, Data: fmt.Appendf(nil, `{%q:%s}`, part.name, raw)})
		}
		f.beside[part.name] = string(raw)
	}
	return events, nil
}

// hall gives the snapshot or the changes up to the hall as it is shown.
func (f *follower) hall(v view.Hall) ([]sse.Event, error) {
	known := f.begun || f.resumed && f.seq <= v.Seq
	if !known || v.Seq-f.seq > maxMissed {
		return f.snapshot(v)
	}
	f.begun = true
	if v.Seq == f.seq {
		return nil, nil
	}
	raws, err := f.api.opts.Facts.Read(f.seq, int(v.Seq-f.seq), maxMissedBytes)
	if err != nil {
		return nil, err
	}
	rest, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	_, rest, _ = bytes.Cut(rest, []byte(",")) // without seq, which comes first and differs
	var events []sse.Event
	for _, raw := range raws {
		var fact struct {
			Seq  hallsync.Seq  `json:"seq"`
			Kind hallsync.Kind `json:"kind"`
		}
		if err := json.Unmarshal(raw, &fact); err != nil {
			return nil, fmt.Errorf("fact after %d: %w", f.seq, err)
		}
		if fact.Seq != f.seq+1 { // the log was pruned
			return f.snapshot(v)
		}
		f.seq = fact.Seq
		seq, err := json.Marshal(fact.Seq)
		if err != nil {
			return nil, err
		}
		data := fmt.Appendf(nil, `{"seq":%s,"kind":%q,%s`, seq, fact.Kind, rest)
		events = append(events, sse.Event{Name: "change", ID: uint64(fact.Seq), Data: data})
	}
	if f.seq < v.Seq { // cut short by its size
		return f.snapshot(v)
	}
	return events, nil
}

func (f *follower) snapshot(v view.Hall) ([]sse.Event, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	f.begun, f.seq = true, v.Seq
	return []sse.Event{{Name: "snapshot", ID: uint64(v.Seq), Data: raw}}, nil
}
