package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/proof"
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
// fact's sequence and whose data is its seq and kind, with the hall as it is after them in the last of those that come together; health, help, gives, frame or program when only that changed; input at a
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
	// What somebody's page was told last may have been a locked page's hall, or be one: it begins anew.
	if last, ok := sse.LastEventID(r); ok && who.Staff == "" {
		f.seq, f.resumed = hallsync.Seq(last), true
	}
	f.shown = a.opts.Inputs.Now()
	if session := r.URL.Query().Get("session"); f.reader.Frame && session != "" {
		f.key = a.opts.Proofs.Key(who.Credential, who.Page, session)
	}
	wake, stop := a.wake(r.Context(), f.place)
	defer stop()
	if f.reader.Frame {
		defer a.opts.Inputs.Screen(f.place).Open()()
	}
	s, err := sse.Start(w, r, beats(r.URL.Query()))
	if err == nil {
		err = s.Follow(wake, f.proven)
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
	key     proof.Key         // of a screen's page; nil: of everybody else
}

// proven gives the events since the last call, to a screen's page as it can tell that they are from here, of now and not said before.
func (f *follower) proven() ([]sse.Event, error) {
	events, err := f.next()
	for i := range events {
		if err == nil && f.key != nil {
			events[i].Data, err = f.api.opts.Proofs.Wrap(f.key, events[i].Name, events[i].Data)
		}
	}
	return events, err
}

// errSignedOut ends the stream of somebody whose session is over.
var errSignedOut = errors.New("signed out")

// next gives the events since the last call.
func (f *follower) next() ([]sse.Event, error) {
	if !f.api.still(f.request, f.who) {
		return nil, errSignedOut
	}
	now, err := f.api.scenes.look(f.audience(), func() (scene, error) { return f.api.scene(f.who, f.reader) })
	if err != nil {
		return nil, err
	}
	events, err := f.hall(&now)
	if err != nil {
		return nil, err
	}
	events = f.besides(&now, events)
	if f.who.May(access.Hear) {
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
func (f *follower) besides(now *scene, events []sse.Event) []sse.Event {
	whole := len(events) > 0
	for _, p := range now.beside {
		if sent, known := f.beside[p.name]; known && !whole && sent != p.data {
			events = append(events, sse.Event{Name: p.name, Data: fmt.Appendf(nil, `{%q:%s}`, p.name, p.data)})
		}
		f.beside[p.name] = p.data
	}
	return events
}

// hall gives the snapshot or the changes up to the hall as it is shown.
func (f *follower) hall(now *scene) ([]sse.Event, error) {
	known := f.begun || f.resumed && f.seq <= now.seq
	if !known || now.seq-f.seq > maxMissed {
		return f.snapshot(now)
	}
	f.begun = true
	if now.seq == f.seq {
		return nil, nil
	}
	raws, err := f.api.opts.Facts.Read(f.seq, int(now.seq-f.seq), maxMissedBytes)
	if err != nil {
		return nil, err
	}
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
			return f.snapshot(now)
		}
		f.seq = fact.Seq
		head, err := json.Marshal(fact)
		if err != nil {
			return nil, err
		}
		events = append(events, sse.Event{Name: "change", ID: uint64(fact.Seq), Data: head})
	}
	if f.seq < now.seq { // cut short by its size
		return f.snapshot(now)
	}
	whole, err := f.whole(now)
	if err != nil {
		return nil, err
	}
	last := &events[len(events)-1]
	_, rest, _ := bytes.Cut(whole, []byte(",")) // without seq, which comes first
	last.Data = append(append(last.Data[:len(last.Data)-1], ','), rest...)
	return events, nil
}

func (f *follower) snapshot(now *scene) ([]sse.Event, error) {
	whole, err := f.whole(now)
	if err != nil {
		return nil, err
	}
	f.begun, f.seq = true, now.seq
	return []sse.Event{{Name: "snapshot", ID: uint64(now.seq), Data: whole}}, nil
}

// whole gives the hall with the console of the follower's window, if it has one. The console may be newer than the rest: then there is
// a further event.
func (f *follower) whole(now *scene) ([]byte, error) {
	if f.reader.Console == "" {
		return now.raw, nil
	}
	var console *view.Console
	f.api.opts.Hall.Look(func(m queue.Moment) { console = view.ConsoleOf(m, f.reader.Console) })
	raw, err := json.Marshal(console)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `%s,"console":%s}`, now.raw[:len(now.raw)-1], raw), nil
}

// scene is the hall as some readers see it, written once for all of them: a hall has many screens and windows, and each of them wants
// to know of each change.
type scene struct {
	seq    hallsync.Seq
	raw    []byte // view.Hall
	beside []part // what is no part of the log
}

type part struct{ name, data string }

func (a *API) scene(who access.Who, r view.Reader) (now scene, err error) {
	r.Console = ""
	v := a.show(who, r)
	if now.raw, err = json.Marshal(v); err != nil {
		return now, err
	}
	now.seq = v.Seq
	for _, p := range []struct {
		name  string
		value any
	}{{"health", v.Health}, {"help", v.Help}, {"paper", v.Paper}, {"gives", v.Gives}, {"frame", v.Frame}, {"program", v.Program}} {
		raw, err := json.Marshal(p.value)
		if err != nil {
			return now, err
		}
		now.beside = append(now.beside, part{p.name, string(raw)})
	}
	return now, nil
}

// audience names those who see the same: everybody of a role who wants the same, at kiosks and screens those of the place.
func (f *follower) audience() string {
	place := ""
	if isKiosk(f.who) || f.reader.Frame {
		place = f.place
	}
	r := f.reader
	r.Console = ""
	return fmt.Sprintf("%s %s %+v", f.who.Role, place, r)
}

// scenes lets readers who look at the same time share one look. Whoever comes while a look is under way shares the next one with all who
// come until that begins, so nobody is shown what was before he asked.
type scenes struct {
	mu   sync.Mutex
	byID map[string]*looking
}

type looking struct {
	turn sync.Mutex // held by the look under way
	next *look      // the one after it; mu of scenes is held
}

type look struct {
	done chan struct{}
	now  scene
	err  error
}

func (s *scenes) look(audience string, do func() (scene, error)) (scene, error) {
	s.mu.Lock()
	at := s.byID[audience]
	if at == nil {
		at = &looking{}
		s.byID[audience] = at
	}
	mine := at.next
	if mine != nil {
		s.mu.Unlock()
		<-mine.done
		return mine.now, mine.err
	}
	mine = &look{done: make(chan struct{})}
	at.next = mine
	s.mu.Unlock()

	at.turn.Lock()
	defer at.turn.Unlock()
	s.mu.Lock()
	at.next = nil
	s.mu.Unlock()
	defer close(mine.done)
	mine.err = errNotLooked // unless do returns
	mine.now, mine.err = do()
	return mine.now, mine.err
}

var errNotLooked = errors.New("the hall was not looked at")
