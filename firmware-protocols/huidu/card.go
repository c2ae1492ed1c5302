package huidu

import (
	"cmp"
	"slices"
)

// Card is a card as the far end of the protocol: it takes packets, remembers what it shows and answers. It serves the simulated screen.
type Card struct {
	session string
	open    bool // the session was given out
	joiner  Joiner
	program Program
}

// NewCard makes a blank card that gives out one session.
func NewCard(session string) *Card { return &Card{session: session} }

// Program gives what the card shows.
func (c *Card) Program() Program { return c.program }

// Lines gives the texts of the areas from top to bottom and left to right, without empty ones.
func (c *Card) Lines() (lines []string) {
	areas := slices.Clone(c.program.Areas)
	slices.SortStableFunc(areas, func(a, b Area) int { return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X)) })
	for _, a := range areas {
		if a.Text != "" && a.Text != " " {
			lines = append(lines, a.Text)
		}
	}
	return lines
}

// Renew ends all sessions, as the card does when it starts again.
func (c *Card) Renew(session string) { c.session, c.open = session, false }

// Handle does what a packet says and gives the answers.
func (c *Card) Handle(p Packet) []Packet {
	switch p.Command {
	case CmdHeartbeat:
		return []Packet{{Command: CmdHeartbeatAnswer}}
	case CmdVersion:
		return []Packet{AnswerVersion(0)}
	case CmdOrder:
	default:
		return nil
	}
	raw, whole, err := c.joiner.Add(p)
	if err != nil {
		return []Packet{faultLength.Packet()}
	}
	if !whole {
		return nil
	}
	answers, err := Split(CmdOrderAnswer, c.obey(raw).XML())
	if err != nil {
		return nil // an answer of ours is never that long
	}
	return answers
}

const faultLength Fault = 7

func (c *Card) obey(raw []byte) Answer {
	o, err := ParseOrder(raw)
	a := Answer{Session: c.session, Method: cmp.Or(o.Method, "unknown"), Result: ResultSuccess}
	switch {
	case err != nil:
		a.Result = ResultIndex
	case o.Method == MethodVersion:
		c.open = true
	case !c.open || o.Session != c.session:
		a.Session, a.Result = o.Session, ResultSession
	case o.Method == MethodProgram:
		c.program = o.Program
	default:
		a.Result = ResultIndex
	}
	return a
}
