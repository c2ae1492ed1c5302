package session

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const patience = 4 * time.Second // less than the slow poll of a watch: only what was noticed happens in it

func TestNodeThatAppearsEndsThePause(t *testing.T) {
	touch := func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		node           string
		before, change func(t *testing.T, node string)
	}{
		"plugged in": {"tty", func(*testing.T, string) {}, touch},
		"first of its folder": {"by-id/x/tty", func(*testing.T, string) {}, func(t *testing.T, node string) {
			if err := os.MkdirAll(filepath.Dir(node), 0o700); err != nil {
				t.Fatal(err)
			}
			touch(t, node)
		}},
		"got its rights": {"tty", touch, func(t *testing.T, node string) {
			if err := os.Chmod(node, 0o660); err != nil {
				t.Fatal(err)
			}
		}},
		"replugged": {"tty", touch, func(t *testing.T, node string) {
			if err := os.Remove(node); err != nil {
				t.Fatal(err)
			}
			touch(t, node)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			node := filepath.Join(t.TempDir(), c.node)
			c.before(t, node)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			p := pause{root: t.TempDir(), node: node}
			before := p.identify()
			changed := make(chan bool, 1)
			go func() { changed <- p.nodeChanged(ctx, before) }()
			c.change(t, node)
			if !<-changed {
				t.Fatal("nothing noticed")
			}
		})
	}
}

func TestNodeThatStaysAwayDoesNotEndThePause(t *testing.T) {
	for name, act := range map[string]func(node string) error{
		"nothing happens":  func(string) error { return nil },
		"a neighbour came": func(node string) error { return os.WriteFile(node+"2", nil, 0o600) },
		"it left":          os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			node := filepath.Join(t.TempDir(), "tty")
			if name == "it left" {
				if err := os.WriteFile(node, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			p := pause{root: t.TempDir(), node: node}
			before := p.identify()
			changed := make(chan bool, 1)
			go func() { changed <- p.nodeChanged(ctx, before) }()
			if err := act(node); err != nil {
				t.Fatal(err)
			}
			if <-changed {
				t.Fatal("took it for a new node")
			}
		})
	}
}
