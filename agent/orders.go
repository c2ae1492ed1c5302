package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"halledge/agent/internal/orders"
	"halledge/firmware-protocols/hallsync"
)

// ordersFile remembers which orders of the centre were followed, in the data directory.
const ordersFile = "orders.json"

// openOrders opens the check that all orders of the centre pass.
func (a *Agent) openOrders() (err error) {
	a.orders, err = orders.Open(orders.Options{
		File: filepath.Join(a.cfg.Site.Data, ordersFile), Hall: hallsync.HallID(a.cfg.Site.Hall.Code), Keys: a.identity.Receipts,
		Clock: a.identity, Log: a.log.With("part", "orders"),
	})
	return err
}

// command carries out what the centre orders on down/commands. An order that was not carried out is not taken for followed: the centre
// repeats it until its answer is there.
func (a *Agent) command(ctx context.Context, raw []byte) error {
	s, err := a.orders.Open(raw, hallsync.SignedCommand)
	if err != nil {
		return fmt.Errorf("order of the centre: %w", err)
	}
	var c hallsync.Command
	if err := json.Unmarshal(s.Body, &c); err != nil {
		return fmt.Errorf("order of the centre: %w", errors.Join(err, a.orders.Followed(s)))
	}
	switch c.Name {
	case hallsync.CommandErasePerson:
		order, err := hallsync.ParseErasePerson(c.Args)
		if err != nil {
			return fmt.Errorf("order %s: %w", c.ID, errors.Join(err, a.orders.Followed(s)))
		}
		if err := a.hall.Erase(ctx, order); err != nil {
			return fmt.Errorf("order %s: %w", c.ID, err)
		}
		a.log.Info("person erased", "order", order.Order)
	default:
		a.log.Warn("order not known to this program", "order", c.ID, "name", c.Name)
	}
	return a.orders.Followed(s)
}
