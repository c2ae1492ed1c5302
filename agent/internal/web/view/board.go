package view

import (
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Board is the director's view of the day so far. Means are null while there is nothing to average.
type Board struct {
	Seq         hallsync.Seq  `json:"seq"`
	BusinessDay string        `json:"business_day"`
	Taken       int           `json:"taken"`
	Waiting     int           `json:"waiting"`
	Done        int           `json:"done"`
	Passed      int           `json:"passed"`
	Left        int           `json:"left"` // abandoned or withdrawn
	MeanWaitS   *int64        `json:"mean_wait_s"`
	MeanServeS  *int64        `json:"mean_serve_s"`
	Rated       int           `json:"rated"`
	Satisfied   int           `json:"satisfied"` // rated satisfied or better
	Queues      []BoardQueue  `json:"queues"`
	Windows     []BoardWindow `json:"windows"`
}

// BoardQueue is one queue on the board. LongestS is how long the person who waits longest has waited.
type BoardQueue struct {
	Queue
	Taken    int   `json:"taken"`
	Done     int   `json:"done"`
	LongestS int64 `json:"longest_s"`
	Open     int   `json:"open"` // windows that serve it now
}

// BoardWindow is one window on the board.
type BoardWindow struct {
	Window
	Reason string `json:"reason"` // of a pause
	Done   int    `json:"done"`
}

// mean gathers an average in whole seconds.
type mean struct{ sum, n int64 }

func (m *mean) add(d time.Duration) {
	if d >= 0 {
		m.sum += int64(d / time.Second)
		m.n++
	}
}

func (m *mean) value() *int64 {
	if m.n == 0 {
		return nil
	}
	v := m.sum / m.n
	return &v
}

// BoardOf shows the day of a state at a moment.
func BoardOf(m queue.Moment) Board {
	s := m.State
	b := Board{Seq: m.Seq, BusinessDay: s.Day(), Queues: []BoardQueue{}, Windows: []BoardWindow{}}
	queues := map[hallsync.QueueID]*BoardQueue{}
	for _, q := range s.Plan().Queues {
		queues[q.ID] = &BoardQueue{Queue: QueueOf(m, q)}
	}
	done := map[hallsync.WindowID]int{}
	var wait, serve mean
	for _, t := range s.Tickets() {
		b.count(t, &wait, &serve)
		if t.State == hallsync.Done {
			done[t.Window]++
		}
		if q := queues[t.Queue]; q != nil {
			q.count(t, m.Now)
		}
	}
	b.MeanWaitS, b.MeanServeS = wait.value(), serve.value()
	for i := range s.Plan().Windows {
		p := &s.Plan().Windows[i]
		w, _ := WindowOf(m, p.ID, true)
		record, _ := s.Window(p.ID)
		b.Windows = append(b.Windows, BoardWindow{Window: w, Reason: record.Reason, Done: done[p.ID]})
		for _, id := range p.Queues {
			if q := queues[id]; q != nil && w.State == hallsync.WindowOpen {
				q.Open++
			}
		}
	}
	for _, q := range s.Plan().Queues {
		b.Queues = append(b.Queues, *queues[q.ID])
	}
	return b
}

func (b *Board) count(t queue.Ticket, wait, serve *mean) {
	b.Taken++
	switch t.State {
	case hallsync.Waiting:
		b.Waiting++
	case hallsync.Done:
		b.Done++
		serve.add(t.FinishedAt.Sub(t.CalledAt))
	case hallsync.Passed:
		b.Passed++
	case hallsync.Abandoned, hallsync.Withdrawn:
		b.Left++
	}
	if !t.CalledAt.IsZero() {
		wait.add(t.CalledAt.Sub(t.TakenAt))
	}
	if t.Rated != "" {
		b.Rated++
		if t.Rated == hallsync.VerySatisfied || t.Rated == hallsync.Satisfied {
			b.Satisfied++
		}
	}
}

func (q *BoardQueue) count(t queue.Ticket, now time.Time) {
	q.Taken++
	switch t.State {
	case hallsync.Done:
		q.Done++
	case hallsync.Waiting:
		q.LongestS = max(q.LongestS, int64(now.Sub(t.TakenAt)/time.Second))
	}
}
