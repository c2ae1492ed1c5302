package access

import (
	"net/http"
	"strings"
	"time"
)

// lockAfter gives how long nothing may be done at a page before it is locked; 0: for ever.
func (d *Door) lockAfter(page string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	minutes := d.people.SignIn.LockMin
	if window, ok := strings.CutPrefix(page, windowPage); ok {
		for _, w := range d.people.Windows {
			if w.ID == window && w.LockMin != nil {
				minutes = *w.LockMin
			}
		}
	}
	return time.Duration(minutes) * time.Minute
}

// LockSeconds is after how many seconds a page without a sign of anybody is locked; 0: never.
func (d *Door) LockSeconds(page string) int { return int(d.lockAfter(page) / time.Second) }

// Here answers GET and POST /here?as=PAGE with 204 while somebody is signed in at a page, else with why not. By POST a page says that
// somebody is there, though nothing is done in the hall: a key was pressed, the mouse was moved.
func (d *Door) Here(w http.ResponseWriter, r *http.Request) {
	who, err := d.AtPage(r, r.URL.Query().Get("as"))
	switch {
	case err != nil:
		status, code, args := NotIn(err)
		d.problem(w, status, code, args)
	case who.Role == Locked:
		d.problem(w, http.StatusLocked, SessionLocked, nil)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// Lock answers POST /lock?as=PAGE: whoever is signed in there leaves it alone for a while.
func (d *Door) Lock(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Query().Get("as")
	if c, err := r.Cookie(cookieName(page)); err == nil {
		if kind, secret, _ := strings.Cut(c.Value, "."); kind == sessionCookie {
			d.sessions.lock(secret)
			d.pairs.stir()
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
