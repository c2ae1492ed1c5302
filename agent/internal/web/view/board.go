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

	Now          time.Time `json:"now"`           // the hall's time
	ClockUnknown bool      `json:"clock_unknown"` // nobody knows the time; no numbers are given until somebody says it
	Day          Figures   `json:"day"`
}

// BoardQueue is one queue on the board. LongestS is how long the person who waits longest has waited.
type BoardQueue struct {
	Queue
	Taken    int   `json:"taken"`
	Done     int   `json:"done"`
	LongestS int64 `json:"longest_s"`
	Open     int   `json:"open"` // windows that serve it now

	Gives    Gives    `json:"gives"`
	Accuracy Accuracy `json:"accuracy"` // of the waits that people were told
	Roll     int      `json:"roll"`     // next number of the paper roll, 0 without one
	Day      Figures  `json:"day"`
}

// Accuracy is how far the waits that people were told were off on average, over so many people.
type Accuracy struct {
	ErrorS  int64 `json:"error_s"`
	Samples int   `json:"samples"`
}

// BoardWindow is one window on the board.
type BoardWindow struct {
	Window
	Reason string `json:"reason"` // of a pause
	Done   int    `json:"done"`

	Waiting int                            `json:"waiting"` // people it could call
	Duties  map[hallsync.QueueID]time.Time `json:"duties"`  // queues it serves for a while, and until when
	Day     Figures                        `json:"day"`
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
	b := Board{
		Seq: m.Seq, BusinessDay: s.Day(), Queues: []BoardQueue{}, Windows: []BoardWindow{}, Now: stamp(s, m.Now), ClockUnknown: s.ClockDead(),
	}
	queues, inQueue, atWindow, all := map[hallsync.QueueID]*BoardQueue{}, map[hallsync.QueueID]*tally{}, map[hallsync.WindowID]*tally{}, newTally()
	for _, q := range s.Plan().Queues {
		queues[q.ID], inQueue[q.ID] = boardQueueOf(m, q), newTally()
	}
	for i := range s.Plan().Windows {
		atWindow[s.Plan().Windows[i].ID] = newTally()
	}
	var wait, serve mean
	for _, t := range s.Tickets() {
		b.count(t, &wait, &serve)
		all.add(&t)
		if q := queues[t.Queue]; q != nil {
			q.count(t, m.Now)
			inQueue[t.Queue].add(&t)
		}
		if w := atWindow[t.Window]; w != nil && t.State != hallsync.Waiting {
			w.add(&t)
		}
	}
	b.MeanWaitS, b.MeanServeS, b.Day = wait.value(), serve.value(), all.figures()
	for i := range s.Plan().Windows {
		id := s.Plan().Windows[i].ID
		w := boardWindowOf(m, id)
		w.Day = atWindow[id].figures()
		w.Done = w.Day.Served
		b.Windows = append(b.Windows, w)
		for _, id := range w.Queues {
			if q := queues[id]; q != nil && w.State == hallsync.WindowOpen {
				q.Open++
			}
		}
	}
	for _, q := range s.Plan().Queues {
		queues[q.ID].Day = inQueue[q.ID].figures()
		b.Queues = append(b.Queues, *queues[q.ID])
	}
	return b
}

// boardQueueOf shows what does not come from the day's tickets.
func boardQueueOf(m queue.Moment, q queue.QueuePlan) *BoardQueue {
	a := m.State.Accuracy(q.ID)
	v := &BoardQueue{
		Queue: QueueOf(m, q), Gives: givesOf(m, q.ID), Roll: m.State.Roll(q.ID), Accuracy: Accuracy{ErrorS: a.ReplayS, Samples: a.Samples},
	}
	if a.Head {
		v.Accuracy.ErrorS = a.HeadS
	}
	return v
}

func boardWindowOf(m queue.Moment, id hallsync.WindowID) BoardWindow {
	w, _ := WindowOf(m, id, true)
	record, _ := m.State.Window(id)
	v := BoardWindow{Window: w, Reason: record.Reason, Duties: m.State.Duties(id, m.Now)}
	for _, q := range w.Queues {
		v.Waiting += m.State.Waiting(q)
	}
	for q, until := range v.Duties {
		v.Duties[q] = stamp(m.State, until)
	}
	return v
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
