package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/rerun"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// dutyBody is the body of POST /api/v1/windows/{w}/duty.
type dutyBody struct {
	Queue hallsync.QueueID `json:"queue"`
	Until time.Time        `json:"until"` // now or earlier ends it
}

// duty answers POST /api/v1/windows/{w}/duty, by which a window serves one more queue until a time: 200 {"window": W}.
func (a *API) duty(w http.ResponseWriter, p post) {
	var in dutyBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if in.Until.IsZero() {
		a.problem(w, http.StatusBadRequest, fieldMissing, map[string]string{"field": "until"})
		return
	}
	id := hallsync.WindowID(p.PathValue("w"))
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetDuty{Window: id, Queue: in.Queue, Until: in.Until, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		var body struct {
			Window view.Window `json:"window"`
		}
		body.Window, _ = view.WindowOf(res.Moment(), id, true)
		return http.StatusOK, body
	})
}

// rollBody is the body and the answer of POST /api/v1/roll. Next is the number that is called next.
type rollBody struct {
	Queue hallsync.QueueID `json:"queue"`
	On    bool             `json:"on"`
	Next  int              `json:"next"`
}

// roll answers POST /api/v1/roll, by which windows call the numbers of a paper roll, because no tickets can be printed.
func (a *API) roll(w http.ResponseWriter, p post) {
	var in rollBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if in.Next < 0 || in.Next > 9999 {
		a.problem(w, http.StatusBadRequest, fieldType, map[string]string{"field": "next", "type": "0–9999"})
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetRoll{Queue: in.Queue, On: in.On, Next: in.Next, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		next := res.State.Roll(in.Queue)
		return http.StatusOK, rollBody{Queue: in.Queue, On: next > 0, Next: next}
	})
}

// clockBody is the body and the answer of POST /api/v1/clock.
type clockBody struct {
	Sure bool      `json:"sure,omitempty"` // asked again after clock_far
	Time time.Time `json:"time"`
}

// clock answers POST /api/v1/clock, by which a member of staff says what time it is when the box does not know.
func (a *API) clock(w http.ResponseWriter, p post) {
	var in clockBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if in.Time.Year() < 2025 || in.Time.Year() > 2100 {
		a.problem(w, http.StatusBadRequest, fieldType, map[string]string{"field": "time", "type": "2025–2100"})
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetClock{To: in.Time, Sure: in.Sure, Source: queue.ClockByStaff, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) { return http.StatusOK, clockBody{Time: in.Time.In(a.zone)} })
}

// The problems of an edit, beside queue.PlanChanged.
const (
	planInvalid   problem.Code = "plan_invalid"    // 422, with member "problems"
	planTooLarge  problem.Code = "plan_too_large"  // 422
	planNoManager problem.Code = "plan_no_manager" // 422: nobody could change it again
	pinForm       problem.Code = "pin_form"        // 422: not digits, or too few
	pinsTooMany   problem.Code = "pins_too_many"   // 422
)

// planBody is the answer of GET /api/v1/plan.
type planBody struct {
	Revision int64 `json:"revision"`
	config.Edit
}

// getPlan answers GET /api/v1/plan: queues, windows, staff and calendar as the manager may change them, without PINs.
func (a *API) getPlan(w http.ResponseWriter, r *http.Request, _ access.Who) {
	a.send(w, r, http.StatusOK, planBody{Revision: a.opts.Plan.Revision, Edit: a.opts.Plan.Editable()})
}

// planEdit is the body of POST /api/v1/plan: the lists as they shall be, and the revision they were made from.
type planEdit struct {
	Revision int64                `json:"revision"`
	Queues   []config.QueueEdit   `json:"queues"`
	Windows  []config.WindowEdit  `json:"windows"`
	Staff    []staffEdit          `json:"staff"`
	Calendar *config.CalendarEdit `json:"calendar"` // missing: it stays
}

// staffEdit is a member of staff with a new PIN, empty to keep the old one.
type staffEdit struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Role    string   `json:"role"`
	Windows []string `json:"windows"`
	PIN     string   `json:"pin"`
}

// editPlan answers POST /api/v1/plan, by which the hall's manager changes what is in an Edit without the centre: 200 with the
// new revision. The change is a fact; the hall works by it a moment later.
func (a *API) editPlan(w http.ResponseWriter, p post) {
	var in planEdit
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	next := in.Revision + 1
	edit := config.Edit{Queues: in.Queues, Windows: in.Windows, Calendar: in.Calendar}
	var err error
	if in.Revision == a.opts.Plan.Revision { // else it is refused anyway
		if edit.Staff, err = a.staffOf(p.Context(), in.Staff); err != nil {
			a.fail(w, p.Request, err)
			return
		}
	}
	a.command(w, p, func() (queue.Command, error) {
		if in.Revision != a.opts.Plan.Revision {
			return nil, a.opts.Catalog.Problem(http.StatusConflict, problem.Code(queue.PlanChanged), nil)
		}
		text, err := a.planText(edit)
		if err != nil {
			return nil, err
		}
		return queue.EditPlan{PlanEdited: hallsync.PlanEdited{Revision: next, Text: string(text), By: p.who.By()}, Gone: a.gone(edit)}, nil
	}, func(hall.Result) (int, any) {
		return http.StatusOK, struct {
			Revision int64 `json:"revision"`
		}{next}
	})
}

// maxPINs bounds the PINs of one edit: each costs what a sign-in costs.
const maxPINs = 20

// staffOf hashes the new PINs of an edit. That takes its time, which the store's writer does not have.
func (a *API) staffOf(ctx context.Context, list []staffEdit) (out []config.StaffEdit, err error) {
	manager, pins := false, 0
	for _, s := range list {
		manager = manager || s.Role == string(access.Manager)
		if s.PIN != "" {
			pins++
		}
	}
	if was := func(s config.Staff) bool { return s.Role == string(access.Manager) }; !manager && slices.ContainsFunc(a.opts.Plan.Staff, was) {
		return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, planNoManager, nil)
	}
	if pins > maxPINs {
		return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, pinsTooMany, map[string]string{"limit": strconv.Itoa(maxPINs)})
	}
	for _, s := range list {
		e := config.StaffEdit{ID: s.ID, Name: s.Name, Role: s.Role, Windows: s.Windows}
		if s.PIN != "" {
			if strings.Trim(s.PIN, "0123456789") != "" || len(s.PIN) < access.MinPIN || len(s.PIN) > access.MaxPIN { // it is entered on a key pad of digits
				return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, pinForm, map[string]string{"staff": echo(s.ID)})
			}
			if e.PIN, err = a.opts.Door.HashPIN(ctx, s.PIN); err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// gone gives the queues that an edit leaves out.
func (a *API) gone(e config.Edit) (out []hallsync.QueueID) {
	for _, q := range a.opts.Plan.Queues {
		if !slices.ContainsFunc(e.Queues, func(n config.QueueEdit) bool { return n.ID == q.ID }) {
			out = append(out, hallsync.QueueID(q.ID))
		}
	}
	return out
}

// planText gives hall.yaml as an edit makes it, or the problem that says what is wrong with it.
func (a *API) planText(e config.Edit) ([]byte, error) {
	text, problems, err := a.opts.Edit(e)
	switch {
	case err != nil:
		return nil, err
	case len(text) > hallsync.MaxPlanBytes:
		return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, planTooLarge, map[string]string{
			"limit": strconv.Itoa(hallsync.MaxPlanBytes >> 10)})
	case problems.Err() != nil:
		return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, planInvalid, nil).With("problems", a.said(problems))
	}
	return text, nil
}

// fault is one thing that is wrong with an edit: where, as $.queues[0].name, and what, in words.
type fault struct {
	Path   string `json:"path"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (a *API) said(problems strictyaml.Problems) (out []fault) {
	for _, p := range problems {
		if p.Warning {
			continue
		}
		text := a.opts.Catalog.Problem(http.StatusUnprocessableEntity, problem.Code(p.Code), p.Args)
		out = append(out, fault{Path: p.Path, Code: string(p.Code), Detail: cmp.Or(text.Detail, text.Title)})
	}
	return out
}

// cardDigest gives what is kept of a card of the staff: of no use for finding its number out, and in no other hall. A badge whose code
// says a card's number is not that card.
func (a *API) cardDigest(kind string, number device.Secret) string {
	sum := a.opts.Signer.Digest([]byte("staff-" + kind + "\x00" + strings.ToUpper(strings.TrimSpace(number.Reveal()))))
	return hex.EncodeToString(sum[:])
}

// enrolCard answers POST /api/v1/staff/{id}/card {"place"}: it waits half a minute for a card at that place's reader, which is that person's
// from then on. 408 card_none if nobody showed one.
func (a *API) enrolCard(w http.ResponseWriter, p post) {
	var in struct {
		Place string `json:"place"`
	}
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if !a.employs(w, p) {
		return
	}
	a.outside(w, p, func() (int, []byte) {
		digest, refused := a.opts.Door.EnrolAt(p.Request, in.Place)
		if refused != "" {
			status := http.StatusConflict
			if refused == access.CardNone {
				status = http.StatusRequestTimeout
			}
			return status, a.opts.Catalog.Problem(status, refused, nil).Body()
		}
		for _, s := range a.opts.Plan.Staff {
			if s.Card == digest && s.ID != p.PathValue("id") {
				taken := a.opts.Catalog.Problem(http.StatusConflict, access.CardTaken, map[string]string{"staff": s.Name})
				return taken.Status, taken.Body()
			}
		}
		return a.setCard(p, digest)
	})
}

// removeCard answers POST /api/v1/staff/{id}/card/remove: that person has no card any more.
func (a *API) removeCard(w http.ResponseWriter, p post) {
	if a.employs(w, p) {
		a.outside(w, p, func() (int, []byte) { return a.setCard(p, "") })
	}
}

// employs reports whether the person of a path works here, or answers that he does not.
func (a *API) employs(w http.ResponseWriter, p post) bool {
	for _, s := range a.opts.Plan.Staff {
		if s.ID == p.PathValue("id") {
			return true
		}
	}
	a.problem(w, http.StatusNotFound, notFound, nil)
	return false
}

// setCard writes a person's card into the plan, and gives the answer.
func (a *API) setCard(p post, digest string) (status int, body []byte) {
	ctx, cancel := context.WithTimeout(p.Context(), commandTime)
	defer cancel()
	err := a.change(ctx, p.PathValue("id"), p.who.By(), func(s *config.StaffEdit) { s.Card = &digest })
	var refused *queue.Refusal
	var known problem.Problem
	switch {
	case errors.As(err, &refused):
		known = a.refusal(refused)
	case errors.As(err, &known):
	case err != nil:
		a.opts.Log.Error("card not written", "error", err)
		known = a.opts.Catalog.Problem(http.StatusServiceUnavailable, overloaded, nil)
	default:
		return http.StatusOK, fmt.Appendf(nil, `{"revision":%d}`, a.opts.Plan.Revision+1)
	}
	return known.Status, known.Body()
}

// Repin writes the hash of a PIN that a person has chosen himself into the plan.
func (a *API) Repin(ctx context.Context, id hallsync.StaffID, hash string) error {
	return a.change(ctx, string(id), hallsync.By{Kind: "staff", Staff: id}, func(s *config.StaffEdit) { s.PIN, s.OwnPIN = hash, true })
}

// change edits the plan's entry of one person. It fails as hall.Do does, or with a problem.Problem.
func (a *API) change(ctx context.Context, id string, by hallsync.By, change func(*config.StaffEdit)) error {
	edit := a.opts.Plan.Editable()
	for i := range edit.Staff {
		if edit.Staff[i].ID == id {
			change(&edit.Staff[i])
		}
	}
	text, err := a.planText(edit)
	if err != nil {
		return err
	}
	_, err = a.opts.Hall.Do(ctx, queue.EditPlan{PlanEdited: hallsync.PlanEdited{Revision: a.opts.Plan.Revision + 1, Text: string(text), By: by}})
	return err
}

// The problems of playing a day again.
const (
	rerunBusy   problem.Code = "rerun_busy"   // 429
	rerunSlow   problem.Code = "rerun_slow"   // 503
	rerunDay    problem.Code = "rerun_day"    // 404, with member "days"
	rerunChange problem.Code = "rerun_change" // 400, with member "field"
)

// rerunTime is how long a day may be played.
const rerunTime = 10 * time.Second

// rerunBody is the answer of GET /api/v1/rerun.
type rerunBody struct {
	*rerun.Report
	Days  []string   `json:"days"` // those that can be played
	Order rerunOrder `json:"order"`
}

// rerunOrder is the order in force, of the first queue.
type rerunOrder struct {
	Weights     map[hallsync.Class]int `json:"weights"`
	MaxWaitMin  int                    `json:"max_wait_min"`
	PriorityRun int                    `json:"priority_run"`
}

// getRerun answers GET /api/v1/rerun?day=2026-11-23&weights=elder=200,priority=300&max_wait=20&priority_run=2: the day played again under
// another order. What is missing is as it is: the newest day, the order in force.
func (a *API) getRerun(w http.ResponseWriter, r *http.Request, _ access.Who) {
	q := r.URL.Query()
	change, err := rerun.ParseChange(q.Get("weights"), q.Get("max_wait"), q.Get("priority_run"))
	if err != nil {
		var wrong *rerun.FieldError
		errors.As(err, &wrong)
		a.fail(w, r, a.bad(rerunChange, "field", wrong.Field))
		return
	}
	if !a.rerun.TryLock() {
		a.fail(w, r, a.opts.Catalog.Problem(http.StatusTooManyRequests, rerunBusy, nil))
		return
	}
	defer a.rerun.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), rerunTime)
	defer cancel()
	var plan *queue.Plan
	a.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) { plan = s.Plan() })
	body, err := a.rerunOf(ctx, plan, q.Get("day"), change)
	var none *rerun.NoDayError
	switch {
	case errors.As(err, &none):
		a.fail(w, r, a.opts.Catalog.Problem(http.StatusNotFound, rerunDay, map[string]string{"day": echo(none.Day)}).
			With("days", slices.Concat([]string{}, none.Days)))
	case errors.Is(err, context.DeadlineExceeded):
		a.fail(w, r, a.opts.Catalog.Problem(http.StatusServiceUnavailable, rerunSlow, nil))
	case err != nil:
		a.fail(w, r, err)
	default:
		a.send(w, r, http.StatusOK, body)
	}
}

func (a *API) rerunOf(ctx context.Context, plan *queue.Plan, date string, change rerun.Change) (b rerunBody, err error) {
	day, days, err := rerun.Load(ctx, a.opts.Facts, plan, date)
	if err != nil {
		return b, err
	}
	if b.Report, err = rerun.Compare(ctx, day, plan, change); err != nil {
		return b, err
	}
	b.Days = days
	if len(plan.Queues) > 0 {
		o := plan.Queues[0].Order
		b.Order = rerunOrder{Weights: o.Weights, MaxWaitMin: int(o.MaxWait / time.Minute), PriorityRun: o.PriorityRun}
	}
	return b, nil
}
