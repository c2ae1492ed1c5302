package web

import "time"

// NewWithin is New with a time for bodies and a number of connections of its own, and nothing else that ends a connection.
func NewWithin(d Deps, body time.Duration, conns int) (*Server, error) {
	return build(d, limits{header: time.Hour, body: body, idle: time.Hour, conns: conns})
}
