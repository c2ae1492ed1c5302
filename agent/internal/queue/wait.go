package queue

import (
	"slices"

	"halledge/firmware-protocols/hallsync"
)

// waitStep is what estimates are rounded to, in seconds: an exact minute would promise what nobody can keep.
const waitStep = 300

// Wait estimates how long somebody with that many people ahead still waits in a line, or nil when too little is known:
// fewer finished services are known than the plan asks for, or no open window. Low uses the median service, high the 80th
// percentile, both spread over the windows that serve the line now.
func (s *State) Wait(q hallsync.QueueID, ahead int) *hallsync.WaitRange {
	got := s.services[q]
	windows := s.serving(q)
	if len(got) < max(1, s.plan.WaitSamples) || windows == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(got))
	median := sorted[len(sorted)/2]
	slow := sorted[len(sorted)*8/10]
	low := int(median) * (2*ahead + 1) / (2 * windows)
	high := int(slow) * (ahead + 1) / windows
	return &hallsync.WaitRange{
		LowS:  low / waitStep * waitStep,
		HighS: max(waitStep, (high+waitStep-1)/waitStep*waitStep),
	}
}

// serving counts the windows that are open for a line now.
func (s *State) serving(q hallsync.QueueID) int {
	n := 0
	for i := range s.plan.Windows {
		p := &s.plan.Windows[i]
		if w := s.windows[p.ID]; w != nil && w.State == hallsync.WindowOpen && p.serves(q) {
			n++
		}
	}
	return n
}
