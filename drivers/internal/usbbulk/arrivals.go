package usbbulk

// arrivals puts what came over one or two pipes into the order in which the device said it. It is no more than what has arrived
// and was not read yet: the rooms bound it.
type arrivals struct {
	boxes []box
	head  int // bytes of each answer that come over the first pipe of two
	got   int // bytes of the head that were read since the last question
}

// box is what came over one pipe, oldest first.
type box struct {
	rooms []*room
	off   int // bytes of the first room that were read
}

// asked says that a question goes out: its answer begins with a head. What came over the second pipe belongs to no head; its rooms
// are given back.
func (a *arrivals) asked() []*room {
	a.got = 0
	if len(a.boxes) < 2 {
		return nil
	}
	stale := a.boxes[1].rooms
	a.boxes[1] = box{}
	return stale
}

// due gives the box to read from now, and the most to read there: a head before what follows it, whichever arrived first. It is nil
// when the next bytes are still to come.
func (a *arrivals) due() (box *box, most int) {
	const all = 1 << 20 // more than any room
	first := &a.boxes[0]
	if len(a.boxes) == 1 {
		return first.orNil(), all
	}
	if a.got >= a.head {
		if b := a.boxes[1].orNil(); b != nil {
			return b, all
		}
		if len(first.rooms) == 0 {
			return nil, 0
		}
		a.got = 0 // another answer
	}
	return first.orNil(), a.head - a.got
}

func (b *box) orNil() *box {
	if len(b.rooms) == 0 {
		return nil
	}
	return b
}

// first gives the room that is read next, if there is one.
func (a *arrivals) first() *room {
	box, _ := a.due()
	if box == nil {
		return nil
	}
	return box.rooms[0]
}

// take reads what is due and wipes it where it was. A room that is empty now is given back.
func (a *arrivals) take(b []byte) (n int, empty *room) {
	box, most := a.due()
	if box == nil {
		return 0, nil
	}
	room := box.rooms[0]
	rest := room.bytes()[box.off:]
	n = copy(b, rest[:min(len(rest), most)])
	clear(rest[:n])
	box.off += n
	if box == &a.boxes[0] {
		a.got += n
	}
	if box.off == len(room.bytes()) {
		box.rooms, box.off, empty = box.rooms[1:], 0, room
	}
	return n, empty
}
