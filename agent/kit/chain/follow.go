package chain

import "math"

// Follow gives the state of a chain that somebody else writes, at a start or at a place that is vouched for. k is the key of the entry behind
// it; without one there are heads and no codes, which is enough for a chain whose heads are signed by others than who writes it.
func Follow(p Point, k Key) *State {
	s := &State{at: p}
	if k.k != nil {
		s.next = *k.k
	}
	return s
}

// Copy is Append for a chain that is followed: an entry may have been erased before it came. It fails with ErrOrder.
func (s *State) Copy(e Entry) (Link, error) {
	if s.at.Number == math.MaxUint64 || e.Number != s.at.Number+1 {
		return Link{}, ErrOrder
	}
	link := Link{Head: e.headBehind(s.at.Head)}
	if s.next != (secret{}) {
		link.MAC = s.next.mac(link.Head, e.Number)
		s.next.ratchet()
	}
	s.at.Number, s.at.Head = e.Number, link.Head
	return link, nil
}
