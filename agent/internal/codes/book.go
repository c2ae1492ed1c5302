package codes

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// lookEvery is how soon a changed file of rules is noticed. A look is one stat: no watch can be lost, on whatever disk and however
// an editor replaces the file.
const lookEvery = time.Second

// Book holds the rules of a file, and takes new ones over while the hall works. A file that is bad changes nothing.
type Book struct {
	file string
	data string // directory of the last good copy
	own  []Rule // behind those of the file
	log  *slog.Logger

	mu      sync.Mutex
	rules   []Rule
	trouble string
	seen    stamp
}

// stamp tells one state of a file from another.
type stamp struct {
	at   time.Time
	size int64
	err  bool // the file cannot be looked at
}

// OpenBook reads a file of rules; a path of "" is no file. Instead of a bad file the last good copy in the data directory counts, if
// there is one; Trouble tells. own are further rules, behind those of the file.
func OpenBook(file, dataDir string, own []Rule, log *slog.Logger) *Book {
	b := &Book{file: file, data: dataDir, own: own, log: log, rules: own}
	if file == "" {
		return b
	}
	b.look()
	if b.Trouble() != "" {
		if good, err := recallRules(dataDir); err != nil {
			log.Error("there are no code rules", "error", err)
		} else {
			b.rules = slices.Concat(good, own)
			log.Warn("code rules of the last good copy are in force")
		}
	}
	return b
}

// Rules gives the rules in force. They are not changed by anybody.
func (b *Book) Rules() []Rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rules
}

// Trouble says where the file is bad, as file:line:col; empty when it is the file that is in force.
func (b *Book) Trouble() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble
}

// Run looks after the file until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	if b.file == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			b.look()
		}
	}
}

// look reads the file if it is another than at the last look.
func (b *Book) look() {
	now := stampOf(b.file)
	b.mu.Lock()
	same := now == b.seen
	b.seen = now
	b.mu.Unlock()
	if same {
		return
	}
	rules, data, problems := LoadRules(b.file)
	b.mu.Lock()
	if problems.Err() != nil {
		b.trouble = problems[0].Where()
	} else {
		b.trouble, b.rules = "", slices.Concat(rules, b.own)
	}
	b.mu.Unlock()
	if problems.Err() != nil {
		b.log.Error("code rules are bad, the old ones stay in force", "problems", problems.Error())
		return
	}
	b.log.Info("code rules in force", "rules", len(rules))
	if err := keepRules(b.data, data); err != nil {
		b.log.Warn("code rules not kept", "error", err)
	}
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{err: true}
	}
	return stamp{at: info.ModTime(), size: info.Size()}
}
