// Package ratingpad drives the rating devices (评价器) of windows: those that speak Modbus RTU with HallEdge's register map and are
// told what to ask, and those that just say which of their keys was pressed.
package ratingpad

import (
	"context"
	"fmt"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/rtu"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/modbus"
)

const (
	maxMisses = 3 // polls in a row without an answer before the device counts as lost
	grace     = 3 * time.Second
	idle      = time.Second            // between two polls of a device that has nothing to ask
	calling   = 500 * time.Millisecond // time to call a question off
)

// Rater is a rating device with registers. It implements device.RatingPad and device.SelfTester.
type Rater struct {
	cfg     registry.Config
	session *session.Session
	unit    *rtu.Unit // used in the session's turns only
	poll    time.Duration
	upTo    byte // highest address that a self-test looks for
	desk    desk

	// Of the open connection; used in the session's turns only.
	misses  int
	polled  time.Time
	counter uint16 // events before the question
	asked   bool   // the device has taken the open question
}

// New makes a rating device with registers; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	r := &Rater{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		poll:    o.Duration("poll", 200*time.Millisecond, 20*time.Millisecond, 2*time.Second),
		upTo:    byte(o.Int("search_to", 32, 1, modbus.MaxUnit)),
	}
	within := o.Duration("reply_within", 100*time.Millisecond, 20*time.Millisecond, 2*time.Second)
	r.unit = rtu.New(byte(o.Int("unit", 1, 1, modbus.MaxUnit)), cfg.Connect.Baud, within, r.session.Garbage)
	if err := o.Err(); err != nil {
		return nil, err
	}
	return r, nil
}

// Run implements device.Device.
func (r *Rater) Run(ctx context.Context) error { return r.session.Run(ctx, r.cfg.Open, r.serve) }

// Health implements device.Device.
func (r *Rater) Health() device.Health { return r.session.Health() }

// Ask implements device.RatingPad. The device keeps the time; it is called off when it keeps it too long.
func (r *Rater) Ask(ctx context.Context, request device.RatingRequest) (device.Rating, error) {
	op := r.cfg.Name + " ask"
	seconds := min(max((request.Timeout+time.Second-1)/time.Second, 1), 0xFFFF)
	registers, err := modbus.RaterQuestion(request.Session, uint16(seconds), request.Prompt)
	if err != nil {
		return device.Rating{}, &device.Error{Op: op, Code: device.CodeUnsupported, Err: err}
	}
	q, ok := r.desk.begin(request.Session)
	if !ok {
		return device.Rating{}, busy(op)
	}
	defer r.desk.end()
	var rating device.Rating
	err = r.session.Do(ctx, "ask", func(ctx context.Context, conn transport.Conn) error { return r.begin(ctx, conn, registers) })
	if err != nil {
		err = unasked(ctx, op, err)
	} else {
		rating, err = q.wait(ctx, op, request.Timeout+grace)
	}
	if err != nil {
		r.callOff(ctx)
		return device.Rating{}, err
	}
	r.session.Job()
	return rating, nil
}

// begin puts the question.
func (r *Rater) begin(ctx context.Context, conn transport.Conn, registers []uint16) error {
	in, err := r.idle(ctx, conn)
	if err != nil {
		return err
	}
	if err := r.unit.Set(ctx, conn, modbus.RaterTagAt, registers...); err != nil {
		return err
	}
	r.counter, r.asked = in.Counter, true
	return r.unit.Set(ctx, conn, modbus.RaterOrderAt, modbus.RaterStart)
}

// idle calls off a question that is still there from before, which nobody waits for.
func (r *Rater) idle(ctx context.Context, conn transport.Conn) (modbus.RaterInput, error) {
	in, err := r.inputs(ctx, conn)
	if err != nil || !in.Waiting {
		return in, err
	}
	if err := r.unit.Set(ctx, conn, modbus.RaterOrderAt, modbus.RaterStop); err != nil {
		return in, err
	}
	return r.inputs(ctx, conn)
}

// callOff takes the question from the device's display, whatever became of it.
func (r *Rater) callOff(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), calling)
	defer cancel()
	err := r.session.Do(ctx, "call off", func(ctx context.Context, conn transport.Conn) error {
		r.asked = false
		return r.unit.Set(ctx, conn, modbus.RaterOrderAt, modbus.RaterStop)
	})
	if err != nil {
		r.cfg.Log.Info("question_not_called_off", "error", err)
	}
}

// SelfTest asks the device how it is. When it does not answer it says who else does on the line.
func (r *Rater) SelfTest(ctx context.Context) error {
	err := r.session.Do(ctx, "self-test", func(ctx context.Context, conn transport.Conn) error {
		_, err := r.inputs(ctx, conn)
		return err
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return r.unit.Search(ctx, r.cfg.Open, r.upTo, r.cfg.Log, err)
}

// serve is one life of the connection.
func (r *Rater) serve(ctx context.Context, _ transport.Conn) error {
	defer r.desk.settle(lost())
	err := r.session.Do(ctx, "start", func(ctx context.Context, conn transport.Conn) error {
		r.unit.Reset()
		r.misses, r.asked = 0, false
		_, err := r.idle(ctx, conn)
		return err
	})
	if err != nil {
		return err
	}
	r.session.Good()
	return r.session.Every(ctx, r.poll, "poll", r.look)
}

// look asks the device how it is, and what became of the question that it asks.
func (r *Rater) look(ctx context.Context, conn transport.Conn) error {
	tag, asking := r.desk.asking()
	if !asking && r.misses == 0 && time.Since(r.polled) < idle {
		return nil
	}
	r.polled = time.Now()
	in, err := r.inputs(ctx, conn)
	if err != nil {
		if r.misses++; r.misses < maxMisses && ctx.Err() == nil && rtu.Passing(err) {
			return nil
		}
		return err
	}
	r.misses = 0
	r.session.Good()
	if !asking || !r.asked || in.Waiting {
		return nil
	}
	r.asked = false
	mine := in.Counter != r.counter && in.Tag == tag // else it has forgotten the question, as after a power cut
	switch {
	case mine && in.Rating >= worst && in.Rating <= best:
		r.desk.settle(result{stars: int(in.Rating)})
	case mine && (in.Rating == modbus.RaterNobody || in.Rating == modbus.RaterCancelled):
		r.desk.settle(nobody())
	case mine:
		r.session.Garbage(1)
		r.desk.settle(result{code: device.CodeBadReply, err: fmt.Errorf("the rating is %d", in.Rating)})
	default:
		r.desk.settle(lost())
	}
	return nil
}

func (r *Rater) inputs(ctx context.Context, conn transport.Conn) (modbus.RaterInput, error) {
	registers, err := r.unit.Inputs(ctx, conn, modbus.RaterInputs)
	if err != nil {
		return modbus.RaterInput{}, err
	}
	in, err := modbus.ParseRaterInput(registers)
	if err != nil {
		return in, &device.Error{Op: "read the rating device's map", Code: device.CodeBadReply, Retry: true, Err: err}
	}
	return in, nil
}
