package config

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"halledge/agent/kit/strictyaml"
)

// Edit is what the hall's manager may change of a plan without the centre: queues, windows and staff, each list as it shall be.
// Everything else stays, also of the entries that stay.
type Edit struct {
	Queues  []QueueEdit  `json:"queues"`
	Windows []WindowEdit `json:"windows"`
	Staff   []StaffEdit  `json:"staff"`
}

// QueueEdit is a queue of an Edit; the fields are those of hall.yaml.
type QueueEdit struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Dept     string   `json:"dept"`
	Identity string   `json:"identity"`
	ServiceS int      `json:"service_s"`
	Hours    []string `json:"hours"`
	Quota    int      `json:"quota"`
}

// WindowEdit is a window of an Edit.
type WindowEdit struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Queues []string `json:"queues"`
}

// StaffEdit is a member of staff of an Edit. PIN is the PHC form of a new PIN, empty to keep the old one; it is never given out.
type StaffEdit struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Role    string   `json:"role"`
	Windows []string `json:"windows"`
	PIN     string   `json:"-"`
}

// Editable gives a plan as an Edit that changes nothing.
func (p *Plan) Editable() Edit {
	e := Edit{Queues: []QueueEdit{}, Windows: []WindowEdit{}, Staff: []StaffEdit{}}
	for _, q := range p.Queues {
		e.Queues = append(e.Queues, QueueEdit{
			ID: q.ID, Name: q.Name, Dept: q.Dept, Identity: q.Identity, ServiceS: q.ServiceS,
			Hours: slices.Concat([]string{}, q.Admission.Hours), Quota: q.Admission.Quota,
		})
	}
	for _, w := range p.Windows {
		e.Windows = append(e.Windows, WindowEdit{ID: w.ID, Name: w.Name, Queues: slices.Concat([]string{}, w.Queues)})
	}
	for _, s := range p.Staff {
		e.Staff = append(e.Staff, StaffEdit{ID: s.ID, Name: s.Name, Role: s.Role, Windows: slices.Concat([]string{}, s.Windows)})
	}
	return e
}

// editedBy begins a plan that was written by the agent.
const editedBy = "# 大厅主管在本厅修改，由 hall-agent 写成。\n"

// Edited gives the text of the plan after an edit, under the next revision, and what is wrong with it. It is checked like any hall.yaml,
// so the text always loads again when there is no problem.
func (c *Config) Edited(e Edit) (text []byte, problems strictyaml.Problems, err error) {
	p := c.Plan
	p.Revision++
	p.Queues, p.Windows, p.Staff = nil, nil, nil
	for _, q := range e.Queues {
		n := former(c.Plan.Queues, func(o Queue) bool { return o.ID == q.ID })
		n.ID, n.Name, n.Dept, n.Identity, n.ServiceS = q.ID, q.Name, q.Dept, q.Identity, q.ServiceS
		n.Admission.Hours, n.Admission.Quota = q.Hours, q.Quota
		p.Queues = append(p.Queues, n)
	}
	for _, w := range e.Windows {
		n := former(c.Plan.Windows, func(o Window) bool { return o.ID == w.ID })
		n.ID, n.Name, n.Queues = w.ID, w.Name, w.Queues
		p.Windows = append(p.Windows, n)
	}
	for _, s := range e.Staff {
		n := former(c.Plan.Staff, func(o Staff) bool { return o.ID == s.ID })
		n.ID, n.Name, n.Role, n.Windows = s.ID, s.Name, s.Role, s.Windows
		if s.PIN != "" {
			n.PIN = s.PIN
		}
		p.Staff = append(p.Staff, n)
	}
	raw, err := yaml.Marshal(p)
	if err != nil {
		return nil, nil, fmt.Errorf("write plan: %w", err)
	}
	text = append([]byte(editedBy), raw...)
	_, problems = c.WithPlan("hall.yaml", text)
	return text, problems, nil
}

// former gives the entry of a list that is like the new one, or the zero value.
func former[T any](list []T, same func(T) bool) (entry T) {
	if i := slices.IndexFunc(list, same); i >= 0 {
		return list[i]
	}
	return entry
}
