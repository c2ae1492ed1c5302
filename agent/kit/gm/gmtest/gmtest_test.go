package gmtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"halledge/agent/kit/gm"
)

func TestSoftware(t *testing.T) { Provider(t, gm.Software{}) }

func TestModule(t *testing.T) { Provider(t, NewModule(t)) }

// asked wants a signature and a secret of k, and gives why there are none.
func asked(t *testing.T, k gm.PrivateKey) []error {
	t.Helper()
	wrapped, err := k.Public().Wrap([]byte("sixteen bytes ok"))
	if err != nil {
		t.Fatal(err)
	}
	sig, signErr := k.Sign([]byte("message"))
	secret, unwrapErr := k.Unwrap(wrapped)
	if signErr != nil && sig != nil || unwrapErr != nil && secret != nil {
		t.Errorf("an answer beside an error: %x %x", sig, secret)
	}
	return []error{signErr, unwrapErr}
}

func TestAKeyWhoseModuleFails(t *testing.T) {
	m := NewModule(t)
	k, _ := NewKey(t, m)
	broken := errors.New("self-test failed")
	m.Trouble(t, func() error { return broken })
	for i, err := range asked(t, k) {
		var e *gm.KeyError
		if !errors.As(err, &e) || !errors.Is(err, broken) || e.Op != []string{"sign", "unwrap"}[i] || errors.Is(err, gm.ErrOpen) {
			t.Error(err)
		}
	}
	m.Trouble(t, nil)
	for _, err := range asked(t, k) {
		if err != nil {
			t.Error("the trouble is over:", err)
		}
	}
}

func TestAKeyWhoseModuleIsPulledOut(t *testing.T) {
	m := NewModule(t)
	k, reference := NewKey(t, m)
	m.Unplug()
	for _, err := range asked(t, k) {
		if !errors.Is(err, ErrUnplugged) {
			t.Error(err)
		}
	}
	if _, err := gm.OpenKey(m, reference); !errors.Is(err, ErrUnplugged) || errors.Is(err, gm.ErrInvalid) {
		t.Error("open:", err)
	}
	if _, _, err := gm.GenerateKeyIn(m); !errors.Is(err, ErrUnplugged) {
		t.Error("draw:", err)
	}
}

// The module is pulled out while it works on an answer: who waits for it is told at once.
func TestAModuleIsPulledOutWhileItWorks(t *testing.T) {
	m := NewModule(t)
	k, _ := NewKey(t, m)
	working, goOn := make(chan struct{}), make(chan struct{})
	m.Trouble(t, func() error { close(working); <-goOn; return nil })
	answered := make(chan error, 1)
	go func() {
		_, err := k.Sign([]byte("message"))
		answered <- err
	}()
	<-working
	m.Unplug()
	if err := <-answered; !errors.Is(err, ErrUnplugged) {
		t.Error(err)
	}
	close(goOn)
}

// A signature that went wrong gives the key away: it must not leave.
func TestAWrongSignatureDoesNotLeave(t *testing.T) {
	k, _ := NewKey(t, liar{NewModule(t)})
	var e *gm.KeyError
	if sig, err := k.Sign([]byte("message")); !errors.As(err, &e) || sig != nil {
		t.Errorf("%x, %v", sig, err)
	}
	if _, err := k.PEM(); !errors.Is(err, gm.ErrInvalid) {
		t.Error("a key in a module is given out:", err)
	}
}

// liar is a module that signs something else.
type liar struct{ *Module }

func (l liar) Generate(ctx context.Context) (gm.Handle, string, error) {
	h, reference, err := l.Module.Generate(ctx)
	return lyingSlot{h}, reference, err
}

type lyingSlot struct{ gm.Handle }

func (l lyingSlot) SignDigest(ctx context.Context, e [gm.Size]byte) ([]byte, error) {
	e[0] ^= 1
	return l.Handle.SignDigest(ctx, e)
}

// A module that does not answer holds up nobody for ever.
func TestAModuleThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewModule(t)
		k, _ := NewKey(t, m)
		goOn := make(chan struct{})
		m.Trouble(t, func() error { <-goOn; return nil })
		for _, err := range asked(t, k) {
			var e *gm.KeyError
			if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		close(goOn)
	})
}
