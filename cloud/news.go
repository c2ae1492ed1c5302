package cloud

import (
	"context"
	"errors"
	"maps"
	"time"

	"halledge/cloud/internal/halls"
	"halledge/firmware-protocols/hallsync"
)

// lookEvery is how soon halls learn of what another process, such as a command of an operator, has put into the database.
const lookEvery = 2 * time.Second

// news tells halls that are connected what is new for them, until ctx ends: notices that were published, orders, and what a hello too many was
// not answered with. Those that are not there are told when they come.
func (c *Cloud) news(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	since := time.Now().UnixMilli()
	told := map[string]hallsync.HallID{}
	for {
		var err error
		if since, err = c.notices.TellSince(ctx, since); err != nil && ctx.Err() == nil {
			c.o.Log.Warn("halls not told of notices", "error", err)
		}
		if told, err = c.tellOrders(ctx, told); err != nil && ctx.Err() == nil {
			c.o.Log.Warn("halls not told of orders", "error", err)
		}
		c.uplink.catchUp(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tellOrders sends the orders of halls that have one which was not open before, and gives those that are open. A hall that could not be told is
// tried again, and keeps no other waiting.
func (c *Cloud) tellOrders(ctx context.Context, before map[string]hallsync.HallID) (map[string]hallsync.HallID, error) {
	open, err := c.store.OpenOrders(ctx)
	if err != nil {
		return before, err
	}
	fresh := map[hallsync.HallID]bool{}
	for id, hall := range open {
		if _, known := before[id]; !known {
			fresh[hall] = true
		}
	}
	var errs []error
	for _, hall := range c.connected() {
		if !fresh[hall] {
			continue
		}
		if err := c.uplink.order(ctx, hall); err != nil {
			errs = append(errs, err)
			maps.DeleteFunc(open, func(_ string, of hallsync.HallID) bool { return of == hall })
		}
	}
	return open, errors.Join(errs...)
}

// connected lists the halls that are there.
func (c *Cloud) connected() (there []hallsync.HallID) {
	for _, s := range c.board.All() {
		if s.State == halls.Online || s.State == halls.Stale {
			there = append(there, s.ID)
		}
	}
	return there
}
