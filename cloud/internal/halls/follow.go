package halls

import (
	"maps"
	"slices"
	"sync"

	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

// Change is a hall of which something changed, as it is now.
type Change struct {
	Status Status
	Parts  Parts
}

// Follower follows the changes of the halls of a View. What changes twice before it is read comes once: a slow reader gets fewer changes,
// never old ones, and needs no more memory than one entry for each hall.
type Follower struct {
	board  *Board
	scope  rights.Scope
	signal chan struct{}

	mu      sync.Mutex
	pending map[hallsync.HallID]Parts
}

// Close ends following.
func (f *Follower) Close() {
	f.board.mu.Lock()
	defer f.board.mu.Unlock()
	delete(f.board.followers, f)
}

// Signal has a value when there is something to Take.
func (f *Follower) Signal() <-chan struct{} { return f.signal }

// Take gives what has changed since the last time, in order of hall code, and does not wait.
func (f *Follower) Take() []Change {
	f.mu.Lock()
	pending := f.pending
	f.pending = map[hallsync.HallID]Parts{}
	f.mu.Unlock()
	changes := make([]Change, 0, len(pending))
	for _, id := range slices.Sorted(maps.Keys(pending)) {
		s, _ := f.board.Get(id)
		changes = append(changes, Change{Status: s, Parts: pending[id]})
	}
	return changes
}

// tell notes a change for every follower.
func (b *Board) tell(id hallsync.HallID, parts Parts) {
	b.mu.Lock()
	followers := slices.Collect(maps.Keys(b.followers))
	b.mu.Unlock()
	for _, f := range followers {
		if !f.scope.Covers(id) {
			continue
		}
		f.mu.Lock()
		f.pending[id] |= parts
		f.mu.Unlock()
		select {
		case f.signal <- struct{}{}:
		default:
		}
	}
}
