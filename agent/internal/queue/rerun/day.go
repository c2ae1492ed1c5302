// Package rerun plays a recorded day again under another order: who came is taken from the log, and so is how long each of them took;
// whom a window calls next is decided anew, by the very rules of package queue. It is pure, and the same day and plan always give the same
// calls.
//
// What is kept: when each ticket was taken and of which class, when people left by themselves, when windows were opened, paused, lent and
// closed, and how long each ticket kept a window. That time goes with the ticket wherever it is called: from its call to its end, and then
// as long as the window stood idle before the next call there although somebody waited. So staff who take a breath between two people
// take it in the replay, too.
//
// What is simplified:
//   - A window that is open and free calls at once when somebody comes. Whoever named a ticket does not name it in the replay.
//   - A ticket that was never called, and is in the replay, takes the median of its queue.
//   - Being held, called again after a pass, and reopened are one stay with what was before. A ticket that went on to another line, or
//     came back to its own after a pass, does so as long after its stay as it really did.
//   - A pause or a close waits for the end of the ticket that is at the window. A window that closed when nobody was left to call closes
//     in the replay when nobody is left. One that was never closed but left people waiting works until the end of its last service.
//
// At one moment services end first, then what was recorded happens in the log's order, then free windows call: the one that is free
// longest first, between equals in the plan's order.
package rerun

import (
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Day is a recorded day. Moments are milliseconds of the hall's clock, which no setting of any clock moves.
type Day struct {
	Date       string
	end        int64 // of the record
	shut       int64 // when work ended: for who was left, the end of the wait
	over       bool  // or the day still lasts
	tickets    map[hallsync.TicketID]*ticket
	taken      []*ticket // in order
	happenings []happening
	recorded   Course
}

// Course is how a day went: its calls in order, who was not called any more, and how long each window stood idle, open, while somebody
// waited whom it might have called.
type Course struct {
	Calls []Call
	Left  []Call // who still waited, by the end of the day or of the record; Called is then that end
	Idle  map[hallsync.WindowID]time.Duration
}

// Call is somebody who waited in a line and was called. A ticket that went through several lines has one for each.
type Call struct {
	Ticket hallsync.TicketID
	Number string
	Queue  hallsync.QueueID
	Class  hallsync.Class
	Window hallsync.WindowID
	Rule   string
	Due    int64 // since when the person waited in this line; not before the booked time
	Called int64
}

// Waited is how long somebody waited.
func (c *Call) Waited() time.Duration {
	return time.Duration(max(0, c.Called-c.Due)) * time.Millisecond
}

// Recorded is how the day really went.
func (d *Day) Recorded() *Course { return &d.recorded }

// ticket is what the record says of one number.
type ticket struct {
	id     hallsync.TicketID
	number string
	class  hallsync.Class
	queue  hallsync.QueueID // whose line it is in, or was last
	booked int64            // 0: not
	legs   []*leg
	window hallsync.WindowID // where it is
	since  int64             // and since when
	left   int64             // when it left a window last
	gone   int               // index of the happening by which it left while it waited, -1 without one
}

func (t *ticket) leg() *leg { return t.legs[len(t.legs)-1] }

// leg is one wait and the stay at a window that followed.
type leg struct {
	enter  hallsync.Payload // how it got into the line after the leg before; nil: it was taken
	delay  int64            // and how long after that one's end
	entry  int64            // when it did
	queue  hallsync.QueueID // out of which it was called
	called bool
	missed bool  // it was passed: nobody had come
	open   bool  // it was at the window when the record ended
	stay   int64 // how long it kept the window
	rest   int64 // how long the window then stood idle although somebody waited
}

// happening is something that was not decided by the order.
type happening struct {
	at   int64
	fact hallsync.Payload // nil: it was undone
	leg  int              // of a ticket: the wait it happened in
	soft bool             // of a close: nobody was left to call
}
