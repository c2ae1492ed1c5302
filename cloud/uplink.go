package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/origin"
	"halledge/firmware-protocols/hallsync"
)

// maxResult bounds the body of up/results: three short words.
const maxResult = 4 << 10

// What a hall is told when it comes is signed for it alone: so many times at once, and then one in each pause.
const (
	greetBurst = 10
	greetPause = 30 * time.Second
	greetHalls = 4096
)

// uplink is what the broker does with the halls' messages: facts and hellos to ingest, whose acknowledgement goes back to the
// hall, and signs of life to the board.
type uplink struct {
	board   *halls.Board
	ingest  *ingest.Ingester
	publish func(hall hallsync.HallID, leaf string, payload []byte) error
	orders  func(ctx context.Context, hall hallsync.HallID) ([][]byte, error) // that it has not answered
	notices func(ctx context.Context, hall hallsync.HallID) error             // tells it which it is to show
	told    func(ctx context.Context, hall hallsync.HallID, own hallsync.OwnIndexKey) error
	// settings gives what a hall is told when it connects; nil: nothing.
	settings func(ctx context.Context, hall hallsync.HallID) ([]byte, error)
	log      *slog.Logger
	hellos   *origin.Limit // by hall; its cursor every hello is answered with

	mu   sync.Mutex
	owed map[hallsync.HallID]bool // whom a hello has not told everything yet
}

// Connected implements broker.Handler.
func (u *uplink) Connected(hall hallsync.HallID) {
	u.log.Info("hall connected", "hall", hall)
	u.board.Connected(hall)
}

// Disconnected implements broker.Handler.
func (u *uplink) Disconnected(hall hallsync.HallID) {
	u.log.Info("hall disconnected", "hall", hall)
	u.mu.Lock()
	delete(u.owed, hall) // it says hello when it comes again
	u.mu.Unlock()
	u.board.Disconnected(hall)
}

// Message implements broker.Handler. A message that can never be taken gets its PUBACK and no acknowledgement: sending it again
// would not help, and the facts stay with the hall.
func (u *uplink) Message(ctx context.Context, hall hallsync.HallID, leaf string, payload []byte) error {
	if leaf != hallsync.UpState { // a will is state too, and no sign of life
		u.board.Heard(hall)
	}
	var err error
	switch leaf {
	case hallsync.UpEvents:
		err = u.events(ctx, hall, payload)
	case hallsync.UpHello:
		err = u.hello(ctx, hall, payload)
	case hallsync.UpState:
		if err := u.board.Report(hall, payload); err != nil {
			u.log.Warn("report not understood", "hall", hall, "error", err)
		}
	case hallsync.UpResults:
		u.result(hall, payload)
	}
	var never *ingest.BatchError
	if errors.As(err, &never) {
		u.log.Warn("message can not be taken", "hall", hall, "topic", leaf, "error", err)
		return nil
	}
	return err
}

func (u *uplink) events(ctx context.Context, hall hallsync.HallID, payload []byte) error {
	ack, err := u.ingest.Ingest(ctx, hall, payload)
	if err != nil {
		return err
	}
	return u.answer(hall, hallsync.DownAcks, ack)
}

func (u *uplink) hello(ctx context.Context, hall hallsync.HallID, payload []byte) error {
	h, err := ingest.ParseHello(hall, payload)
	if err != nil {
		return err
	}
	u.board.Boot(hall, h.Boot)
	ack, err := u.ingest.Hello(ctx, h)
	if err != nil {
		return err
	}
	if err := u.answer(hall, hallsync.DownAcks, ack); err != nil {
		return err
	}
	if err := u.answer(hall, hallsync.DownTime, hallsync.TimeReply{AskedMS: h.ClockMS, ServerMS: time.Now().UnixMilli()}); err != nil {
		return err
	}
	if !u.hellos.Allow(string(hall)) {
		u.owe(hall)
		return nil
	}
	if h.Index != nil {
		if err := u.told(ctx, hall, *h.Index); err != nil {
			u.log.Warn("hall's own index key not taken", "hall", hall, "error", err)
		}
	}
	u.greet(ctx, hall)
	return nil
}

// greet tells a hall all that it is told when it comes. Its facts do not wait for that.
func (u *uplink) greet(ctx context.Context, hall hallsync.HallID) {
	if u.settings != nil {
		if err := u.set(ctx, hall); err != nil {
			u.log.Error("settings of a hall not sent", "hall", hall, "error", err)
		}
	}
	if err := u.notices(ctx, hall); err != nil {
		u.log.Error("hall not told of its notices", "hall", hall, "error", err)
	}
	if err := u.order(ctx, hall); err != nil {
		u.log.Error("orders of a hall not sent", "hall", hall, "error", err)
	}
}

// owe notes that a hall is to be greeted later, unless it goes before.
func (u *uplink) owe(hall hallsync.HallID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.owed[hall] = true
}

// catchUp greets the halls that had to wait, as far as they may be greeted now.
func (u *uplink) catchUp(ctx context.Context) {
	u.mu.Lock()
	var now []hallsync.HallID
	for hall := range u.owed {
		if u.hellos.Allow(string(hall)) {
			now = append(now, hall)
			delete(u.owed, hall)
		}
	}
	u.mu.Unlock()
	for _, hall := range now {
		u.greet(ctx, hall)
	}
}

// set tells halls what the centre wants them to know.
func (u *uplink) set(ctx context.Context, halls ...hallsync.HallID) error {
	var errs []error
	for _, hall := range halls {
		body, err := u.settings(ctx, hall)
		if err == nil {
			err = u.publish(hall, hallsync.DownConfig, body)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// order repeats the orders that a hall has not answered.
func (u *uplink) order(ctx context.Context, hall hallsync.HallID) error {
	orders, err := u.orders(ctx, hall)
	if err != nil {
		return err
	}
	for _, raw := range orders {
		if err := u.publish(hall, hallsync.DownCommands, raw); err != nil {
			return err
		}
	}
	return nil
}

// result notes how a central command ended.
func (u *uplink) result(hall hallsync.HallID, payload []byte) {
	var r hallsync.Result
	if len(payload) > maxResult || json.Unmarshal(payload, &r) != nil {
		u.log.Warn("result not understood", "hall", hall, "bytes", len(payload))
		return
	}
	u.log.Info("command result", "hall", hall, "command", r.ID, "state", r.State, "code", r.Code)
}

func (u *uplink) answer(hall hallsync.HallID, leaf string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return u.publish(hall, leaf, body)
}

// changed shows on the board what ingest has stored.
func (u *uplink) changed(hall hallsync.HallID, touched ingest.Touched) {
	var parts halls.Parts
	if touched&ingest.Tickets != 0 {
		parts |= halls.Tickets
	}
	if touched&ingest.Windows != 0 {
		parts |= halls.Windows
	}
	u.board.Touch(hall, parts)
}
