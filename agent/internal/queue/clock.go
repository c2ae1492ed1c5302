package queue

import (
	"time"

	"halledge/firmware-protocols/hallsync"
)

// The box's wall clock may be wrong, and may be set while people wait. The hall's time is the wall clock as it was before anybody
// set it: a step is noted and taken out again, so it moves no day and no order. Only somebody who knows the time, the network, the
// centre or a person, sets the hall's time; the order of those who wait does not follow that either (see age).

// Who set the hall's time, in ClockSet.Source.
const (
	ClockByNetwork = "ntp"
	ClockByCloud   = "cloud"
	ClockByStaff   = "staff"
)

// StepClock notes that the wall clock was set by so much. Dead says that the box has no time at all, as after its battery died: no
// tickets are given until somebody sets the hall's time.
type StepClock struct {
	By   time.Duration
	Dead bool
}

func (c StepClock) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if c.By == 0 && c.Dead == s.dead {
		return nil, nil
	}
	return facts(hallsync.ClockStepped{ByMS: c.By.Milliseconds(), Dead: c.Dead}), nil
}

// farAhead is more than a hall's time is behind as a rule. A business day that was opened too early can never be taken back, so a year
// mistyped must not open it: staff say twice that so much has gone by. The network and the centre are believed.
const farAhead = 36 * time.Hour

// SetClock sets the hall's time to what somebody knows it to be.
type SetClock struct {
	To     time.Time
	Source string
	Sure   bool // staff were asked again
	By     hallsync.By
}

func (c SetClock) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	by := c.To.Sub(now).Round(time.Millisecond)
	known := now // what is sure about the time
	if s.dead {
		known = s.latest
	}
	switch {
	case by == 0 && !s.dead:
		return nil, nil
	case c.Source == ClockByStaff && !c.Sure && c.To.Sub(known) > farAhead:
		return nil, refuse(ClockFar)
	}
	return facts(hallsync.ClockSet{ByMS: by.Milliseconds(), Source: c.Source, By: c.By}), nil
}

// leap is by how much the hall's time may be put forward without anybody having missed something.
const leap = 2 * time.Minute

// Offset is how far the hall's time is from the wall clock.
func (s *State) Offset() time.Duration { return time.Duration(s.offset) * time.Millisecond }

// ClockDead reports whether nobody knows the time.
func (s *State) ClockDead() bool { return s.dead }

// Latest is the hall's time of the last fact.
func (s *State) Latest() time.Time { return s.latest }

// applyClock folds what became of the clock. The fact itself is dated by the hall's time before it.
func (s *State) applyClock(p hallsync.Payload) {
	switch f := p.(type) {
	case hallsync.ClockStepped:
		s.offset -= f.ByMS
		s.dead = f.Dead
	case hallsync.ClockSet:
		s.offset += f.ByMS
		s.skew -= f.ByMS
		s.latest = s.latest.Add(time.Duration(f.ByMS) * time.Millisecond) // or a start right after would find the time gone back
		if s.dead || f.ByMS > leap.Milliseconds() {
			s.leapt = s.latest
		}
		s.dead, s.early = false, s.openedEarly()
	}
}

// midnight is how much later than the hall's time a business day may begin that is in force: the clock was put back a little, and the day
// comes.
const midnight = 2 * time.Hour

// openedEarly reports whether the business day in force lies in the future.
func (s *State) openedEarly() bool {
	begin, err := time.ParseInLocation(time.DateOnly, s.day, s.plan.Location)
	return err == nil && begin.Sub(s.latest) > midnight
}
