package gmtest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"halledge/agent/kit/gm"
)

// ErrUnplugged is what is asked of a module that is not there.
var ErrUnplugged = errors.New("module: not there")

// Module keeps keys in one goroutine and answers one question after the other. It is a gm.Provider.
type Module struct {
	questions chan question
	gone      chan struct{}
}

type question struct {
	do     func(*keys) (any, error)
	answer chan<- answer
}

type answer struct {
	value any
	err   error
}

// keys is what only the goroutine of a module touches.
type keys struct {
	soft    gm.Software
	handles []gm.Handle
	trouble func() error
}

// NewModule plugs a module in; it is pulled out when the test ends.
func NewModule(t *testing.T) *Module {
	m := &Module{questions: make(chan question), gone: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k := &keys{}
		for {
			select {
			case q := <-m.questions:
				var a answer
				a.value, a.err = q.do(k)
				q.answer <- a
			case <-m.gone:
				return
			}
		}
	}()
	t.Cleanup(func() {
		m.Unplug()
		<-ended
	})
	return m
}

// Unplug pulls the module out, for good. The test that owns the module does it, and nobody else.
func (m *Module) Unplug() {
	select {
	case <-m.gone:
	default:
		close(m.gone)
	}
}

// Trouble is asked before each use of a key: it may take its time, and its error is the answer. nil ends the trouble.
func (m *Module) Trouble(t *testing.T, trouble func() error) {
	t.Helper()
	if _, err := m.ask(t.Context(), func(k *keys) (any, error) { k.trouble = trouble; return nil, nil }); err != nil {
		t.Fatal(err)
	}
}

func (m *Module) ask(ctx context.Context, do func(*keys) (any, error)) (any, error) {
	answers := make(chan answer, 1)
	select {
	case m.questions <- question{do, answers}:
	case <-m.gone:
		return nil, ErrUnplugged
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-m.gone:
		return nil, ErrUnplugged
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Generate implements gm.Provider. The reference is the number of the key's container.
func (m *Module) Generate(ctx context.Context) (gm.Handle, string, error) {
	v, err := m.ask(ctx, func(k *keys) (any, error) {
		h, _, err := k.soft.Generate(ctx)
		if err != nil {
			return nil, err
		}
		k.handles = append(k.handles, h)
		return &slot{m, len(k.handles) - 1, h.Public()}, nil
	})
	if err != nil {
		return nil, "", err
	}
	s := v.(*slot)
	return s, "container " + strconv.Itoa(s.number), nil
}

// Open implements gm.Provider.
func (m *Module) Open(ctx context.Context, reference string) (gm.Handle, error) {
	v, err := m.ask(ctx, func(k *keys) (any, error) {
		for i, h := range k.handles {
			if reference == "container "+strconv.Itoa(i) {
				return &slot{m, i, h.Public()}, nil
			}
		}
		return nil, gm.ErrInvalid
	})
	if err != nil {
		return nil, err
	}
	return v.(*slot), nil
}

// slot is a key in a module.
type slot struct {
	m      *Module
	number int
	public gm.PublicKey
}

func (s *slot) Public() gm.PublicKey { return s.public }

func (s *slot) SignDigest(ctx context.Context, e [gm.Size]byte) ([]byte, error) {
	return s.use(ctx, func(h gm.Handle) ([]byte, error) { return h.SignDigest(ctx, e) })
}

func (s *slot) Decrypt(ctx context.Context, der []byte) ([]byte, error) {
	return s.use(ctx, func(h gm.Handle) ([]byte, error) { return h.Decrypt(ctx, der) })
}

func (s *slot) use(ctx context.Context, do func(gm.Handle) ([]byte, error)) ([]byte, error) {
	v, err := s.m.ask(ctx, func(k *keys) (any, error) {
		if k.trouble != nil {
			if err := k.trouble(); err != nil {
				return nil, err
			}
		}
		return do(k.handles[s.number])
	})
	b, _ := v.([]byte)
	if err != nil {
		return nil, err
	}
	return b, nil
}
