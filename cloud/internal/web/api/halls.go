package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/health"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// latestCalls is how many calls a hall's detail shows.
const latestCalls = 20

func (a *API) listHalls(c *call) error {
	q := a.query(c)
	part := strings.ToLower(q.text("q", nil))
	state := q.text("state", []string{"online", "stale", "offline", "never"})
	severity := q.text("severity", []string{"info", "warning", "error"})
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	var found []Hall
	for _, s := range a.board(c).All() {
		h := a.hall(s)
		text := strings.ToLower(string(h.ID) + "\n" + h.Name + "\n" + h.Region)
		if strings.Contains(text, part) && (state == "" || string(h.State) == state) && (severity == "" || h.Severity == severity) {
			found = append(found, h)
		}
	}
	return a.write(c, http.StatusOK, cut(found, w))
}

func (a *API) getHall(c *call) error {
	id := c.r.PathValue("id")
	s, known := a.board(c).Get(hallsync.HallID(id))
	if !known {
		return a.problem(http.StatusNotFound, codeHallUnknown, "hall", id)
	}
	d := HallDetail{
		Hall: a.hall(s), Queues: queues(s), Calls: []Call{}, DeviceList: []hallsync.DeviceStatus{}, CameraList: []Camera{}, Health: a.health(s),
		Log: a.logOf(s),
	}
	if c.who.May(rights.Cameras) {
		d.CameraList = a.camerasOf(s)
		a.watchable(c, d.CameraList)
	}
	if s.Report != nil && c.who.May(rights.Devices) {
		d.DeviceList = append(d.DeviceList, s.Report.Devices...)
	}
	var err error
	if d.WindowList, err = a.windows(c, s); err != nil {
		return err
	}
	if !c.who.May(rights.Day) {
		return a.write(c, http.StatusOK, d)
	}
	if d.Calls, err = a.calls(c.r.Context(), s); err != nil {
		return err
	}
	return a.write(c, http.StatusOK, d)
}

// hall is the line of a list.
func (a *API) hall(s halls.Status) Hall {
	h := Hall{
		ID: s.ID, Name: s.Name, Region: s.Region, State: HallState(s.State), WindowsOpen: s.WindowsOpen, Windows: s.Windows,
	}
	if c := worst(a.health(s)); c != nil {
		h.Severity, h.Finding = c.Severity, &Finding{Code: c.Code, Subject: c.Subject, Title: c.Title}
	}
	if s.Report != nil {
		h.Windows = max(h.Windows, len(s.Report.Windows))
	}
	if !s.Seen.IsZero() {
		h.SeenAt = a.when(s.Seen)
	}
	if s.Day.Open {
		h.BusinessDay = s.Day.BusinessDay
	}
	for _, n := range s.Counts {
		h.TakenToday += n.Count
		switch n.State {
		case hallsync.Waiting:
			h.Waiting += n.Count
		case hallsync.Serving, hallsync.Called:
			h.Serving += n.Count
		}
	}
	for _, cam := range a.camerasOf(s) {
		h.Cameras++
		if cam.Live {
			h.CamerasLive++
		}
	}
	if r := s.Report; r != nil {
		h.Profile, h.Version, h.Devices = r.Profile, r.Version, len(r.Devices)
		for _, d := range r.Devices {
			if d.State != "ok" {
				h.DevicesBad++
			}
		}
		if r.Log.Epoch == s.Cursor.Epoch && r.Log.Last > s.Cursor.Contiguous {
			h.FactsPending = uint64(r.Log.Last - s.Cursor.Contiguous)
		}
	}
	return h
}

// queues joins the names the hall reports with the counts of its facts.
func queues(s halls.Status) []Queue {
	list := []Queue{}
	place := map[hallsync.QueueID]int{}
	at := func(id hallsync.QueueID) *Queue {
		i, there := place[id]
		if !there {
			i = len(list)
			place[id] = i
			list = append(list, Queue{ID: id})
		}
		return &list[i]
	}
	if s.Report != nil {
		for _, q := range s.Report.Queues {
			at(q.ID).Name = q.Name
		}
	}
	for _, n := range s.Counts {
		q := at(n.Queue)
		q.Taken += n.Count
		switch n.State {
		case hallsync.Waiting:
			q.Waiting += n.Count
		case hallsync.Done:
			q.Done += n.Count
		}
	}
	return list
}

// windows lists the windows that facts speak of, then those the hall says it has and nothing has happened at yet. Who works there, and
// which ticket is there, is for those who may know.
func (a *API) windows(c *call, s halls.Status) ([]Window, error) {
	rows, err := a.Store.Windows(c.r.Context(), s.ID)
	if err != nil {
		return nil, err
	}
	list := []Window{}
	for _, row := range rows {
		w := Window{ID: row.ID, State: row.State, Since: a.when(row.Since)}
		if c.who.May(rights.People) {
			w.Staff = row.Staff
			if w.Reason, err = a.said(c.r.Context(), s.ID, row.Said); err != nil {
				return nil, err
			}
		}
		if row.Ticket != "" && c.who.May(rights.Day) {
			w.Ticket = &WindowTicket{ID: row.Ticket, Number: row.Number, State: row.TicketState}
		}
		list = append(list, w)
	}
	if s.Report == nil {
		return list, nil
	}
	for _, has := range s.Report.Windows {
		if !slices.ContainsFunc(list, func(w Window) bool { return w.ID == has.ID }) {
			list = append(list, Window{ID: has.ID, State: hallsync.WindowClosed})
		}
	}
	return list, nil
}

// said gives why a window rests, which only its fact says; nothing when that cannot be read.
func (a *API) said(ctx context.Context, hall hallsync.HallID, at store.FactRef) (string, error) {
	if at.Seq == 0 {
		return "", nil
	}
	e, found, err := a.Store.Event(ctx, hall, at.Epoch, at.Seq)
	if err != nil || !found {
		return "", err
	}
	fact, err := a.Opener.Open(e, sealed.From(ctx, a.Store))
	var no *sealed.Error
	var erased *hallsync.ErasedError
	if errors.As(err, &no) || errors.As(err, &erased) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var paused hallsync.WindowWasPaused
	if json.Unmarshal(fact.Payload, &paused) != nil {
		return "", nil //nolint:nilerr // it says nothing
	}
	return paused.Reason, nil
}

func (a *API) calls(ctx context.Context, s halls.Status) ([]Call, error) {
	rows, err := a.Store.Calls(ctx, s.ID, s.Cursor.Epoch, latestCalls)
	if err != nil {
		return nil, err
	}
	list := []Call{}
	for _, r := range rows {
		list = append(list, Call{
			Seq: r.Seq, At: a.local(r.At), Ticket: r.Ticket, Number: r.Number, Queue: r.Queue, Window: r.Window, How: r.How,
			Times: r.Times, Rule: r.Rule, WaitedS: r.WaitedS,
		})
	}
	return list, nil
}

func (a *API) logOf(s halls.Status) Log {
	l := Log{
		Epoch: s.Cursor.Epoch, Epochs: s.Epochs, Stored: s.Cursor.Contiguous, Highest: max(s.Cursor.Highest, s.Cursor.Contiguous),
		Refused: int(s.Refused), Gone: int(s.Gone), Unread: int(s.Unread), ChainFaults: int(s.ChainFaults), Stale: s.Cursor.Stale,
	}
	if !s.Cursor.Received.IsZero() {
		l.ReceivedAt = a.when(s.Cursor.Received)
	}
	if s.Cursor.Skew != nil {
		ms := s.Cursor.Skew.Milliseconds()
		l.ClockSkewMS = &ms
	}
	if r := s.Report; r != nil {
		l.HallLast, l.HallAcked, l.FileBytes, l.FsyncP99Usec = r.Log.Last, r.Log.Acked, r.Log.FileBytes, r.Log.FsyncP99Usec
	}
	return l
}

// when is local for a time that may be missing.
func (a *API) when(t time.Time) *time.Time {
	t = a.local(t)
	return &t
}

// local gives a time in the zone of the answers. Halls may send any time that RFC 3339 can write, and in another zone the first
// and the last of them cannot be written any more: they are cut to the year, or one hall would spoil the lists of all.
func (a *API) local(t time.Time) time.Time {
	t = t.In(a.Zone)
	switch {
	case t.Year() < 0:
		return time.Date(0, time.January, 1, 0, 0, 0, 0, a.Zone)
	case t.Year() > 9999:
		return time.Date(9999, time.December, 31, 23, 59, 59, 0, a.Zone)
	}
	return t
}

// The findings of the cloud itself about a hall. Their texts stand in the messages file under the same code.
const (
	factsGone      health.Code = "facts_gone"
	factsRefused   health.Code = "facts_refused"
	factsUnread    health.Code = "key_unknown"
	chainBroken    health.Code = "chain_broken"
	identityShared health.Code = "identity_shared"
	keptOut        health.Code = "pki_kept_out"
	epochsTooMany  health.Code = "epochs_too_many"
)

// health is what the hall reports of itself, and what the cloud finds in the hall's log.
func (a *API) health(s halls.Status) []hallsync.Condition {
	list := []hallsync.Condition{}
	add := func(found bool, code health.Code, severity health.Severity, since time.Time) {
		if !found {
			return
		}
		text, _ := a.Catalog.Text(string(code), nil)
		list = append(list, hallsync.Condition{
			Code: string(code), Severity: string(severity), Title: text.Title, Advice: text.Advice, Since: a.local(since),
		})
	}
	add(s.Shared && !s.KeptOut, identityShared, health.Error, s.Seen)
	add(s.KeptOut, keptOut, health.Error, s.Seen)
	add(s.Cursor.Stale, health.EpochStale, health.Error, s.Cursor.Created)
	add(s.Restless, epochsTooMany, health.Error, s.Cursor.Created)
	add(s.Gone > 0, factsGone, health.Error, s.Cursor.Created)
	add(s.ChainFaults > 0, chainBroken, health.Error, s.Cursor.Created)
	add(s.Unread > 0, factsUnread, health.Error, s.Cursor.Created)
	add(s.Refused > 0, factsRefused, health.Warning, s.Cursor.Created)
	if s.Report != nil {
		list = append(list, s.Report.Health...)
	}
	return list
}

// worst is the gravest finding, the first one of equals; nil when there is none.
func worst(list []hallsync.Condition) *hallsync.Condition {
	rank := map[string]int{string(health.Error): 2, string(health.Warning): 1}
	var grave *hallsync.Condition
	for i := range list {
		if grave == nil || rank[list[i].Severity] > rank[grave.Severity] {
			grave = &list[i]
		}
	}
	return grave
}

func (a *API) listCameras(c *call) error {
	q := a.query(c)
	hall := q.text("hall", nil)
	state := q.text("state", nil)
	live := q.text("live", []string{"true", "false"})
	part := strings.ToLower(q.text("q", nil))
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	var found []Camera
	for _, s := range a.board(c).All() {
		if hall != "" && string(s.ID) != hall {
			continue
		}
		for _, cam := range a.camerasOf(s) {
			text := strings.ToLower(cam.Code + "\n" + cam.Name)
			if (state == "" || cam.State == state) && (live == "" || cam.Live == (live == "true")) && strings.Contains(text, part) {
				found = append(found, cam)
			}
		}
	}
	page := cut(found, w)
	a.watchable(c, page.Items)
	return a.write(c, http.StatusOK, page)
}

// watchable tells only those who may look at cameras where.
func (a *API) watchable(c *call, list []Camera) {
	if c.who.May(rights.Watch) {
		return
	}
	for i := range list {
		list[i].Whep = ""
	}
}

// camerasOf joins the cameras the configuration names with what the hall reports of them. A camera that only the hall knows is
// not shown: the node takes no pictures of it.
func (a *API) camerasOf(s halls.Status) []Camera {
	list := []Camera{}
	from, _ := slices.BinarySearchFunc(a.Cameras, string(s.ID), func(c KnownCamera, id string) int { return strings.Compare(string(c.Hall.ID), id) })
	for _, known := range a.Cameras[from:] {
		if known.Hall.ID != s.ID {
			break
		}
		live := a.Live(known.Code)
		cam := Camera{
			Code: known.Code, Hall: s.ID, Name: known.Name, Scene: known.Scene, Live: live.Arriving, Viewers: live.Viewers,
			Whep: "/whep/" + known.Code,
		}
		if r := reported(s, known.Code); r != nil {
			cam.State, cam.Reason, cam.Codec, cam.BitsPS, cam.Since = r.State, r.Reason, r.Codec, r.BitsPS, a.when(r.Since)
		}
		list = append(list, cam)
	}
	return list
}

func reported(s halls.Status, code string) *hallsync.CameraStatus {
	if s.Report == nil {
		return nil
	}
	for i := range s.Report.Cameras {
		if s.Report.Cameras[i].Code == code {
			return &s.Report.Cameras[i]
		}
	}
	return nil
}
