package api

import (
	"net/http"
	"slices"
	"strconv"

	"halledge/cloud/internal/halls"
	"halledge/firmware-protocols/hallsync"
)

const (
	defaultSize = 50
	maxSize     = 200
	maxPage     = 1 << 20
	maxFilter   = 100 // bytes of a filter
)

var (
	sizeParam    = param{name: "size", about: "一页多少项，1–200，默认 50", integer: true}
	ticketStates = []string{"waiting", "called", "serving", "held", "passed", "done", "abandoned", "withdrawn", "closed"}
)

// paged adds the parameters that every list has.
func paged(filters ...param) []param {
	return append(filters, param{name: "page", about: "第几页，从 1 开始", integer: true}, sizeParam)
}

// query reads the parameters of a request. The first one that is wrong is kept as the problem.
type query struct {
	a   *API
	c   *call
	bad error
}

func (a *API) query(c *call) *query { return &query{a: a, c: c} }

func (q *query) refuse(name string) {
	if q.bad == nil {
		q.bad = q.a.problem(http.StatusBadRequest, codeQueryInvalid, "name", name)
	}
}

// text reads a filter; allowed bounds what it may be, nil for anything.
func (q *query) text(name string, allowed []string) string {
	v := q.c.r.URL.Query().Get(name)
	if len(v) > maxFilter || v != "" && allowed != nil && !slices.Contains(allowed, v) {
		q.refuse(name)
	}
	return v
}

func (q *query) number(name string, fallback, low, high uint64) uint64 {
	v := q.c.r.URL.Query().Get(name)
	if v == "" {
		return fallback
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n < low || n > high {
		q.refuse(name)
	}
	return n
}

// window is the part of a list that is asked for.
type window struct{ offset, size int }

func (q *query) page() window {
	page := q.number("page", 1, 1, maxPage)
	w := window{size: q.size()}
	w.offset = (int(page) - 1) * w.size
	return w
}

func (q *query) size() int { return int(q.number("size", defaultSize, 1, maxSize)) }

// hall reads the required parameter hall and finds it.
func (q *query) hall() halls.Status {
	id := q.text("hall", nil)
	if id == "" {
		q.refuse("hall")
	}
	s, known := q.a.board(q.c).Get(hallsync.HallID(id))
	if !known && q.bad == nil {
		q.bad = q.a.problem(http.StatusNotFound, codeHallUnknown, "hall", id)
	}
	return s
}

// cut gives the part of a whole list that a window shows.
func cut[T any](all []T, w window) Page[T] {
	from := min(w.offset, len(all))
	to := min(from+w.size, len(all))
	return Page[T]{Items: append([]T{}, all[from:to]...), Total: len(all)}
}
