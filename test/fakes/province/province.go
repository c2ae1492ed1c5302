// Package province gives a stand-in for the provincial service that knows whose 粤省事码 and 粤商码 a code is. Its codes begin with
// YSS-SIM- and YSH-SIM-; the people and firms behind them are invented from the code. It checks who asks by SM2, signs what it answers,
// and is slow, silent or wrong on command.
package province

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// Mode is how the province behaves.
type Mode string

// The modes.
const (
	Good   Mode = "good"
	Slow   Mode = "slow"   // answers after a while
	Silent Mode = "silent" // never answers
	Wrong  Mode = "wrong"  // answers what nobody can understand, rightly signed
	Forged Mode = "forged" // says yes, signed by somebody else
	Down   Mode = "down"   // cuts the connection
)

// Modes are all of them.
func Modes() []Mode { return []Mode{Good, Slow, Silent, Wrong, Forged, Down} }

// Path is where questions are answered.
const Path = "/codes/v1/resolve"

// Bounds of what is remembered and for how long a code is good.
const (
	life    = 10 * time.Minute
	maxSeen = 10000
)

// Options of Start.
type Options struct {
	Listen  string                  // host:port of the loopback; "" lets the system choose
	Key     gm.PrivateKey           // signs the answers
	Callers map[string]gm.PublicKey // who may ask
}

// Province is the running stand-in.
type Province struct {
	server *http.Server
	listen net.Listener
	done   chan struct{}
	end    context.CancelFunc

	mu    sync.Mutex
	mode  Mode
	delay time.Duration
	asked int
	seen  map[[gm.Size]byte]shown // by SM3 of the code: not even a stand-in keeps codes
}

type shown struct {
	who     string
	expires time.Time
}

// Start begins to answer.
func Start(o Options) (*Province, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	other, err := gm.GenerateKey()
	if err != nil {
		return nil, err
	}
	p := &Province{listen: l, done: make(chan struct{}), mode: Good, seen: map[[gm.Size]byte]shown{}}
	known := func(name string) (gm.PublicKey, bool) { k, ok := o.Callers[name]; return k, ok }
	honest, forger := gm.NewDoor(o.Key, known), gm.NewDoor(other, known)
	mux := http.NewServeMux()
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) {
		door := honest
		switch p.now() {
		case Forged:
			door = forger
		case Down:
			p.cut(w)
			return
		}
		door.Handler(p.answer).ServeHTTP(w, r)
	})
	ctx, end := context.WithCancel(context.Background())
	p.end = end
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l) // it ends with Close
	}()
	return p, nil
}

// URL is where questions go.
func (p *Province) URL() string { return "http://" + p.listen.Addr().String() + Path }

// Close ends it, with whoever still waits.
func (p *Province) Close() error {
	p.end()
	err := p.server.Close()
	<-p.done
	return err
}

// Set makes it behave from now on; delay is for Slow.
func (p *Province) Set(m Mode, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.delay = m, delay
}

// Asked counts the questions that were let in, and those that were cut off.
func (p *Province) Asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *Province) now() Mode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode
}

// cut ends the connection without a word.
func (p *Province) cut(w http.ResponseWriter) {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// answer behaves, then answers.
func (p *Province) answer(ctx context.Context, name string, body []byte) (int, []byte) {
	p.mu.Lock()
	p.asked++
	mode, delay := p.mode, p.delay
	p.mu.Unlock()
	switch mode {
	case Slow:
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	case Silent:
		<-ctx.Done()
	case Wrong:
		return http.StatusOK, []byte(`{"status":"perhaps"}`)
	}
	var q hallsync.CodeQuestion
	a := hallsync.CodeAnswer{Status: hallsync.CodeRefused}
	if json.Unmarshal(body, &q) == nil {
		a = p.resolve(name, q)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, raw
}

// resolve says whose a code is. What follows the prefix may begin with a word that plays a case.
func (p *Province) resolve(name string, q hallsync.CodeQuestion) hallsync.CodeAnswer {
	prefix := "YSS-SIM-"
	if q.Proof == hallsync.ProofYSH {
		prefix = "YSH-SIM-"
	}
	said, found := strings.CutPrefix(q.Payload, prefix)
	if !found || said == "" {
		return hallsync.CodeAnswer{Status: hallsync.CodeRefused}
	}
	for word, status := range map[string]hallsync.CodeStatus{
		"REFUSED": hallsync.CodeRefused, "EXPIRED": hallsync.CodeExpired, "USED": hallsync.CodeUsed, "NOBODY": hallsync.CodeNobody,
		"BARRED": hallsync.CodeBarred, "BUSY": hallsync.CodeBusy, "OFFLINE": hallsync.CodeDown,
	} {
		if strings.HasPrefix(said, word) {
			return hallsync.CodeAnswer{Status: status}
		}
	}
	digest, who, now := gm.Sum([]byte(q.Payload)), name+" "+string(q.Hall)+" "+q.Place, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	first, before := p.seen[digest]
	switch {
	case before && now.After(first.expires):
		return hallsync.CodeAnswer{Status: hallsync.CodeExpired}
	case before && first.who != who:
		return hallsync.CodeAnswer{Status: hallsync.CodeUsed}
	case !before && len(p.seen) >= maxSeen:
		return hallsync.CodeAnswer{Status: hallsync.CodeBusy}
	case !before:
		first = shown{who, now.Add(life)}
		p.seen[digest] = first
	}
	return hallsync.CodeAnswer{Status: hallsync.CodeGood, Number: Number(q.Payload), Expires: first.expires}
}

// Number is the invented identity number of whoever a 粤省事码 of the stand-in belongs to, or the credit code of a 粤商码's firm. The
// region does not exist and the sequence is 000, so nobody has it.
// What follows a dot is a fresh code of the same person: YSS-SIM-1 and YSS-SIM-1.2 belong to one.
func Number(code string) string {
	code, _, _ = strings.Cut(code, ".")
	digest := gm.Sum([]byte(code))
	n := binary.BigEndian.Uint64(digest[:8])
	if strings.HasPrefix(code, "YSH-") {
		return creditCode(fmt.Sprintf("91991101%09d", n%1_000_000_000))
	}
	born := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(n%18000))
	return idNumber("991101" + born.Format("20060102") + "000")
}

// idNumber adds the check character of GB 11643.
func idNumber(first17 string) string {
	sum := 0
	for i, w := range [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(first17[i]-'0') * w
	}
	return first17 + "10X98765432"[sum%11:sum%11+1]
}

// creditCode adds the check character of GB 32100 to seventeen digits.
func creditCode(first17 string) string {
	sum := 0
	for i, w := range [...]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28} {
		sum += int(first17[i]-'0') * w
	}
	check := (31 - sum%31) % 31
	return first17 + "0123456789ABCDEFGHJKLMNPQRTUWXY"[check:check+1]
}
