// Package orders gives the one check that whatever the centre orders a hall has to pass before anything of it is decoded: it is signed, for
// this hall, of the type that is expected, not over, not older than what was followed already, and not one of a flood.
package orders

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/whole"
	"halledge/firmware-protocols/hallsync"
)

// Clock is what the box knows of the time: never earlier than a time that the centre has signed.
type Clock interface {
	Now() time.Time
	Learned(signed time.Time)
}

// Options of Open. All are required.
type Options struct {
	File  string // remembers what was followed
	Hall  hallsync.HallID
	Keys  func() []gm.PublicKey // that the centre signs orders with
	Clock Clock
	Log   *slog.Logger
}

// No more than atOnce new orders of a type are followed one after the other, and then one in each oneEach: a centre in the wrong hands
// destroys slowly, and people see it. An order that has to wait is not followed, so the centre says it again.
const (
	atOnce  = 32
	oneEach = time.Minute
)

// Gate lets orders in. It is safe for concurrent use.
type Gate struct {
	o Options

	mu       sync.Mutex
	followed map[hallsync.SignedType]followed
	paces    map[hallsync.SignedType]*rate.Limiter
}

// followed is the newest order of a type that was followed.
type followed struct {
	Seq  uint64 `json:"seq"`
	Body string `json:"body"` // SM3 of what it said
}

// maxFile bounds the file: a line for each type of order.
const maxFile = 64 << 10

// Open reads what was followed. A file that cannot be understood is put aside: the hall goes on, and an order that was followed long ago
// could be followed again until the next one comes.
func Open(o Options) (*Gate, error) {
	g := &Gate{o: o, followed: map[hallsync.SignedType]followed{}, paces: map[hallsync.SignedType]*rate.Limiter{}}
	info, err := os.Stat(o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	var raw []byte
	if err == nil && info.Size() <= maxFile {
		raw, err = os.ReadFile(o.File)
	}
	if err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	if err := json.Unmarshal(raw, &g.followed); err != nil || g.followed == nil {
		g.followed = map[hallsync.SignedType]followed{}
		o.Log.Error("orders that were followed not understood, put aside", "file", o.File, "error", err)
		if err := os.Rename(o.File, o.File+".bad"); err != nil {
			return nil, fmt.Errorf("orders: %w", err)
		}
	}
	return g, nil
}

// Open reads an order of a type. One that says the same as the newest that was followed is good again: the centre repeats what it has no
// answer to. It fails with *hallsync.SignedError.
func (g *Gate) Open(raw []byte, of hallsync.SignedType) (hallsync.Signed, error) {
	s, err := hallsync.OpenSigned(raw, of, g.o.Hall, g.o.Keys()...)
	if err != nil {
		return s, err
	}
	g.o.Clock.Learned(s.At)
	if !g.o.Clock.Now().Before(s.NotAfter) {
		return hallsync.Signed{}, &hallsync.SignedError{Why: hallsync.RefusedExpired}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.followed[of]
	if s.Seq < last.Seq || s.Seq == last.Seq && digest(s) != last.Body {
		return hallsync.Signed{}, &hallsync.SignedError{Why: hallsync.RefusedOld}
	}
	if s.Seq > last.Seq && !g.pace(of).Allow() {
		return hallsync.Signed{}, &hallsync.SignedError{Why: hallsync.RefusedMany}
	}
	return s, nil
}

// pace is that of a type of orders.
func (g *Gate) pace(of hallsync.SignedType) *rate.Limiter {
	if g.paces[of] == nil {
		g.paces[of] = rate.NewLimiter(rate.Every(oneEach), atOnce)
	}
	return g.paces[of]
}

// Followed says that an order was followed, so that none before it is any more. It is on the disk when it returns.
func (g *Gate) Followed(s hallsync.Signed) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.followed[s.Type]
	if s.Seq <= last.Seq {
		return nil
	}
	g.followed[s.Type] = followed{Seq: s.Seq, Body: digest(s)}
	raw, err := json.Marshal(g.followed)
	if err == nil {
		err = whole.Write(g.o.File, raw)
	}
	if err != nil {
		g.followed[s.Type] = last
		return fmt.Errorf("orders: %w", err)
	}
	return nil
}

func digest(s hallsync.Signed) string {
	sum := gm.Sum(s.Body)
	return hex.EncodeToString(sum[:])
}
