package web

import (
	"time"

	"halledge/agent/internal/web/api"
	"halledge/agent/internal/web/pages"
)

// NewWithin is New with a time for bodies and a number of connections of its own, and nothing else that ends a connection.
func NewWithin(d Deps, body time.Duration, conns int) (*Server, error) {
	return build(d, limits{header: time.Hour, body: body, idle: time.Hour, conns: conns, share: conns})
}

// Register puts on a mux what the server answers by the plan in force.
func (s *Server) Register(mux api.Mux) error {
	site, err := pages.New(pages.Options{Site: s.deps.Site, Plan: s.deps.Plan, Door: s.door, Catalog: s.deps.Catalog, Log: s.deps.Log, Now: s.deps.Now})
	if err != nil {
		return err
	}
	s.register(mux, s.front.Load().api, site)
	return nil
}
