package halls

import (
	"slices"

	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

// View is the board as somebody sees it: the halls of his scope, and no sign of the others. Whatever is shown of halls is read through
// one.
type View struct {
	board *Board
	scope rights.Scope
}

// In gives the view of a scope.
func (b *Board) In(scope rights.Scope) View { return View{board: b, scope: scope} }

// All gives the pictures of the halls in order of code.
func (v View) All() []Status {
	return slices.DeleteFunc(v.board.All(), func(s Status) bool { return !v.scope.Covers(s.ID) })
}

// Get gives the picture of one hall.
func (v View) Get(id hallsync.HallID) (Status, bool) {
	if !v.scope.Covers(id) {
		return Status{}, false
	}
	return v.board.Get(id)
}

// Follow begins to follow the halls. Close ends it.
func (v View) Follow() *Follower {
	f := &Follower{board: v.board, scope: v.scope, signal: make(chan struct{}, 1), pending: map[hallsync.HallID]Parts{}}
	v.board.mu.Lock()
	defer v.board.mu.Unlock()
	v.board.followers[f] = struct{}{}
	return f
}
