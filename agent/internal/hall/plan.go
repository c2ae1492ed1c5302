package hall

import (
	"fmt"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// PlanOf gives the rules their part of hall.yaml.
func PlanOf(p *config.Plan) (*queue.Plan, error) {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	out := &queue.Plan{
		Location: zone, CallGap: time.Duration(p.Rules.CallGapS) * time.Second, ArrivalPressed: p.Rules.Arrival == "pressed",
		PassRecall: time.Duration(p.Rules.PassRecallS) * time.Second, WaitSamples: p.Rules.WaitMinCount, Reprints: p.Rules.Reprints, MaxOpen: p.Rules.MaxOpen,
		HallPool: p.Rules.HallPool, EndAfter: time.Duration(p.Rules.EndAfterMin) * time.Minute,
		Calendar: calendarOf(p.Rules.Calendar),
	}
	out.EndFrom, _ = config.ParseTime(p.Rules.EndFrom) // the configuration was checked
	for _, q := range p.Queues {
		out.Queues = append(out.Queues, queue.QueuePlan{
			ID: hallsync.QueueID(q.ID), Name: q.Name, Service: time.Duration(q.ServiceS) * time.Second, Order: orderOf(p.OrderOf(q)),
			Calling: callingOf(p.OrderOf(q)), Carry: q.Carry, Rules: admissionOf(p.AdmissionOf(q)),
		})
	}
	for _, w := range p.Windows {
		wp := queue.WindowPlan{ID: hallsync.WindowID(w.ID), Name: w.Name, Weights: map[hallsync.QueueID]int{}}
		for _, q := range w.Queues {
			wp.Queues = append(wp.Queues, hallsync.QueueID(q))
		}
		for q, weight := range w.Weights {
			wp.Weights[hallsync.QueueID(q)] = weight
		}
		out.Windows = append(out.Windows, wp)
	}
	return out, nil
}

// orderOf gives the rules a complete order of hall.yaml.
func orderOf(o config.Order) line.Order {
	out := line.Order{
		Weights: map[hallsync.Class]int{}, Boosts: map[hallsync.Class]time.Duration{},
		MaxWait: time.Duration(*o.MaxWaitMin) * time.Minute, PriorityRun: *o.PriorityRun, Early: time.Duration(*o.EarlyMin) * time.Minute,
	}
	for class, percent := range o.Weights {
		out.Weights[hallsync.Class(class)] = percent
	}
	for class, s := range o.BoostsS {
		out.Boosts[hallsync.Class(class)] = time.Duration(s) * time.Second
	}
	return out
}

func callingOf(o config.Order) queue.Calling {
	return queue.Calling{
		ReturnAfter: *o.ReturnAfter, RecallGap: time.Duration(*o.RecallGapS) * time.Second, RecallLimit: *o.RecallLimit,
		MissLimit: *o.MissLimit, PassAfter: time.Duration(*o.PassAfterS) * time.Second,
	}
}

// admissionOf gives the rules a complete admission of hall.yaml.
func admissionOf(a config.Admission) admit.Rules {
	out := admit.Rules{
		Quota: a.Quota, Slot: minutes(a.SlotMin), SlotQuota: a.SlotQuota, PerPerson: *a.PerPerson,
		Early: minutes(*a.EarlyMin), Late: minutes(*a.LateMin),
	}
	if a.Closing != "ignore" {
		out.Closing = admit.Closing(a.Closing)
	}
	for _, text := range a.Hours {
		if span, ok := config.ParseSpan(text); ok { // the configuration was checked
			out.Hours = append(out.Hours, admit.Span(span))
		}
	}
	return out
}

func calendarOf(c config.Calendar) admit.Calendar {
	out := admit.Calendar{}
	for date, day := range c.Workdays {
		out[date] = config.Weekday(day)
	}
	for _, date := range c.Holidays {
		out[date] = admit.Holiday
	}
	return out
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }
