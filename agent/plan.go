package agent

import (
	"context"
	"fmt"

	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/kit/strictyaml"
	"halledge/firmware-protocols/hallsync"
)

// The plan in force is hall.yaml, or what the hall's manager made of it since: the one with the higher revision. An edit is a fact, so
// it is where everything else is, and goes to the centre like everything else.

// openPlan finds the plan that a hall begins with.
func (a *Agent) openPlan() error {
	a.plan.Store(&a.cfg.Plan)
	e := a.edited()
	if e.Revision <= a.cfg.Plan.Revision {
		return nil
	}
	plan, rules, err := a.planOf(e)
	if err != nil { // of an earlier program, say: a hall with the plan of its file is better than none
		a.log.Error("edited plan not used", "revision", e.Revision, "error", err)
		p := a.cfg.Plan
		p.Revision = e.Revision // the next edit follows it
		a.plan.Store(&p)
		return nil
	}
	a.hall.Refit(rules)
	a.plan.Store(plan)
	return nil
}

// followPlan takes every further edit over while the hall works.
func (a *Agent) followPlan(ctx context.Context) error {
	dirty, cancel := a.hall.Watch()
	defer cancel()
	for {
		if e := a.edited(); e.Revision > a.plan.Load().Revision {
			plan, rules, err := a.planOf(e)
			if err != nil {
				return err
			}
			if err := a.hall.Replan(ctx, rules); err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			a.plan.Store(plan) // first: what the pages show must be what the next edit is made from
			if err := a.web.Replan(plan); err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			a.log.Info("plan edited", "revision", e.Revision, "staff", e.By.Staff)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-dirty:
		}
	}
}

func (a *Agent) edited() (e hallsync.PlanEdited) {
	a.hall.Read(func(s *queue.State, _ hallsync.Seq) { e = s.Edited() })
	return e
}

// planOf reads an edit, for the pages and for the rules.
func (a *Agent) planOf(e hallsync.PlanEdited) (*config.Plan, *queue.Plan, error) {
	next, problems := a.cfg.WithPlan("hall.yaml", []byte(e.Text))
	if err := problems.Err(); err != nil {
		return nil, nil, fmt.Errorf("edited plan: %w", err)
	}
	next.Plan.Revision = e.Revision
	rules, err := hall.PlanOf(&next.Plan)
	if err != nil {
		return nil, nil, fmt.Errorf("edited plan: %w", err)
	}
	return &next.Plan, rules, nil
}

// edit gives the text of the plan in force after an edit.
func (a *Agent) edit(e config.Edit) ([]byte, strictyaml.Problems, error) {
	now := *a.cfg
	now.Plan = *a.plan.Load()
	return now.Edited(e)
}

// revision is that of the plan in force.
func (a *Agent) revision() int64 { return a.plan.Load().Revision }
