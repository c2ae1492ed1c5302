package pages

import (
	"cmp"
	"net/http"

	"halledge/agent/internal/web/access"
)

// From when a window's page shows times as long, and from when as too long.
const (
	usualService = 300 // seconds, for a queue whose plan has no service_s
	usualWait    = 30  // minutes, for a queue without a longest wait
)

// limits are thresholds in seconds: when a time is shown in yellow, and when in red.
type limits struct {
	Serve [2]int `json:"serve"` // 办理: one and a half times and three times what a service usually takes
	Wait  [2]int `json:"wait"`  // 等候: half of the longest wait the plan allows, and all of it
}

// limitsOf gives the thresholds of each queue.
func (p *Pages) limitsOf() map[string]limits {
	out := map[string]limits{}
	for _, q := range p.opts.Plan.Queues {
		serve, wait := cmp.Or(q.ServiceS, usualService), usualWait
		if m := p.opts.Plan.OrderOf(q).MaxWaitMin; m != nil && *m > 0 {
			wait = *m
		}
		out[q.ID] = limits{Serve: [2]int{serve * 3 / 2, serve * 3}, Wait: [2]int{wait * 30, wait * 60}}
	}
	return out
}

// directs reports whether whoever has a page open may give windows further queues for a while.
func (p *Pages) directs(r *http.Request, page string) bool {
	who, err := p.opts.Door.AtPage(r, page)
	return err == nil && who.May(access.Direct)
}
