package rerun

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Bounds of a Change; they are those of hall.yaml.
const (
	minWeight, maxWeight = 10, 1000
	maxMaxWait           = 24 * time.Hour
	maxPriorityRun       = 100
)

// Change is what is different about the order of every queue; what is zero or nil stays.
type Change struct {
	Weights     map[hallsync.Class]int // percent
	MaxWait     *time.Duration         // 0: no such guard
	PriorityRun *int                   // 0: no limit
}

// FieldError says which part of a change cannot be understood or is out of bounds. Field is weights, max_wait or priority_run.
type FieldError struct{ Field string }

// Error implements error.
func (e *FieldError) Error() string { return "bad " + e.Field }

// ParseChange reads a change as people write it: weights as elder=200,priority=300, the guard in minutes, the run as a number. What is
// empty stays. The error is a *FieldError.
func ParseChange(weights, maxWait, priorityRun string) (c Change, err error) {
	if weights != "" {
		c.Weights = map[hallsync.Class]int{}
		for _, part := range strings.Split(weights, ",") {
			name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
			class := hallsync.Class(name)
			n, err := strconv.Atoi(number)
			if _, twice := c.Weights[class]; err != nil || twice || !class.Valid() || n < minWeight || n > maxWeight {
				return Change{}, &FieldError{"weights"}
			}
			c.Weights[class] = n
		}
	}
	if maxWait != "" {
		n, err := strconv.Atoi(maxWait)
		limit := time.Duration(n) * time.Minute
		if err != nil || n < 0 || n > int(maxMaxWait/time.Minute) {
			return Change{}, &FieldError{"max_wait"}
		}
		c.MaxWait = &limit
	}
	if priorityRun != "" {
		n, err := strconv.Atoi(priorityRun)
		if err != nil || n < 0 || n > maxPriorityRun {
			return Change{}, &FieldError{"priority_run"}
		}
		c.PriorityRun = &n
	}
	return c, nil
}

// Of gives a plan as it is with the change.
func (c Change) Of(p *queue.Plan) *queue.Plan {
	out := *p
	out.Queues = slices.Clone(p.Queues)
	for i := range out.Queues {
		o := &out.Queues[i].Order
		weights := map[hallsync.Class]int{}
		maps.Copy(weights, o.Weights)
		maps.Copy(weights, c.Weights)
		o.Weights = weights
		if c.MaxWait != nil {
			o.MaxWait = *c.MaxWait
		}
		if c.PriorityRun != nil {
			o.PriorityRun = *c.PriorityRun
		}
	}
	return &out
}
