package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/strictyaml"
)

// Order is how those who wait are weighed. The hall has one; a queue may have its own word on any part of it.
type Order struct {
	Weights     map[string]int `yaml:"weights"`      // percent by class: normal, appointment, elder, priority
	BoostsS     map[string]int `yaml:"boosts_s"`     // seconds a class is ahead from the start
	MaxWaitMin  *int           `yaml:"max_wait_min"` // whoever waits longer goes first; 0: never
	PriorityRun *int           `yaml:"priority_run"` // privileged calls in a row while others wait; 0: no limit
	EarlyMin    *int           `yaml:"early_min"`    // a booked ticket may be called so long before its time
	ReturnAfter *int           `yaml:"return_after"` // further calls before one that was passed is called again
	RecallGapS  *int           `yaml:"recall_gap_s"` // between two calls of one ticket; half as long again for elders
	RecallLimit *int           `yaml:"recall_limit"` // calls of one ticket at a window; 0: no limit
	MissLimit   *int           `yaml:"miss_limit"`   // a ticket that came back and was passed so often is given up; 0: never
	PassAfterS  *int           `yaml:"pass_after_s"` // who is passed sooner after the call has not missed it; half as long again for elders
}

func defaultOrder() Order {
	number := func(n int) *int { return &n }
	return Order{
		Weights: map[string]int{"normal": 100, "appointment": 100, "elder": 150, "priority": 200}, BoostsS: map[string]int{},
		MaxWaitMin: number(30), PriorityRun: number(2), EarlyMin: number(5), ReturnAfter: number(3),
		RecallGapS: number(20), RecallLimit: number(3), MissLimit: number(2), PassAfterS: number(20),
	}
}

// OrderOf gives the order of a queue, all parts of it.
func (p *Plan) OrderOf(q Queue) Order { return q.Order.over(p.Rules.Order.over(defaultOrder())) }

// over gives an order whose missing parts are those of another.
func (o Order) over(hall Order) Order {
	out := hall
	out.Weights, out.BoostsS = maps.Clone(hall.Weights), maps.Clone(hall.BoostsS)
	maps.Copy(out.Weights, o.Weights)
	maps.Copy(out.BoostsS, o.BoostsS)
	for _, part := range []struct{ mine, to **int }{
		{&o.MaxWaitMin, &out.MaxWaitMin}, {&o.PriorityRun, &out.PriorityRun}, {&o.EarlyMin, &out.EarlyMin},
		{&o.ReturnAfter, &out.ReturnAfter}, {&o.RecallGapS, &out.RecallGapS}, {&o.RecallLimit, &out.RecallLimit},
		{&o.MissLimit, &out.MissLimit}, {&o.PassAfterS, &out.PassAfterS},
	} {
		if *part.mine != nil {
			*part.to = *part.mine
		}
	}
	return out
}

// order checks an order. Whoever weighs nothing would never be called before the longest wait is over.
func (c *checker) order(path string, o *Order) {
	for _, of := range []struct {
		key       string
		values    map[string]int
		low, high int
	}{{"weights", o.Weights, 10, 1000}, {"boosts_s", o.BoostsS, 0, 24 * 3600}} {
		for _, class := range slices.Sorted(maps.Keys(of.values)) {
			where := fmt.Sprintf("%s.%s.%s", path, of.key, class)
			if !slices.Contains(classes(), class) {
				c.at(where, strictyaml.UnknownKey, "key", class, "allowed", strings.Join(classes(), ", "))
				continue
			}
			c.between(where, of.values[class], of.low, of.high)
		}
	}
	for _, of := range []struct {
		key   string
		value *int
		high  int
	}{
		{"max_wait_min", o.MaxWaitMin, 24 * 60}, {"priority_run", o.PriorityRun, 100}, {"early_min", o.EarlyMin, 24 * 60},
		{"return_after", o.ReturnAfter, 100}, {"recall_gap_s", o.RecallGapS, 600}, {"recall_limit", o.RecallLimit, 100},
		{"miss_limit", o.MissLimit, 100}, {"pass_after_s", o.PassAfterS, 600},
	} {
		if of.value != nil {
			c.between(path+"."+of.key, *of.value, 0, of.high)
		}
	}
}

// classes are the names of the classes of tickets.
func classes() []string { return []string{"normal", "appointment", "elder", "priority"} }

// Admission is when a queue gives numbers, how many, and to whom.
type Admission struct {
	Hours     []string `yaml:"hours"`      // "mon-fri 08:30-12:00"; empty: at any time
	Quota     int      `yaml:"quota"`      // numbers a day, bookings apart; 0: no limit
	SlotMin   int      `yaml:"slot_min"`   // length of a slot of the day
	SlotQuota int      `yaml:"slot_quota"` // numbers a slot; 0: no limit
	PerPerson *int     `yaml:"per_person"` // open tickets of one person; default 1, 0: no limit
	Closing   string   `yaml:"closing"`    // ignore, warn or stop, when somebody would still wait at the end of the hours
	EarlyMin  *int     `yaml:"early_min"`  // default 15: a booked person may come so long before the booked slot
	LateMin   *int     `yaml:"late_min"`   // default 15: and so long after it; who comes so long after its begin waits from then on
}

// Calendar has the days that are not like their day of the week.
type Calendar struct {
	Holidays []string          `yaml:"holidays"` // dates on which no numbers are given
	Workdays map[string]string `yaml:"workdays"` // dates, and the day of the week whose hours hold (mon … sun)
}

// Span is a part of the day on some days of the week, by time.Weekday.
type Span struct {
	Days     [7]bool
	From, To time.Duration // since midnight
}

// weekdays are the names of the days, by time.Weekday.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// Weekday gives the day of the week a name stands for, -1 for none.
func Weekday(name string) int { return slices.Index(weekdays(), name) }

// ParseSpan reads a span as hall.yaml writes it: "mon-fri 08:30-12:00", "sat 09:00-12:00" or "mon,wed,fri 14:00-17:00".
func ParseSpan(text string) (s Span, ok bool) {
	days, hours, found := strings.Cut(text, " ")
	from, to, both := strings.Cut(hours, "-")
	if !found || !both {
		return s, false
	}
	for _, part := range strings.Split(days, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, b := Weekday(first), Weekday(last)
		if a < 0 || b < 0 {
			return s, false
		}
		for d := a; ; d = (d + 1) % 7 {
			s.Days[d] = true
			if d == b {
				break
			}
		}
	}
	var good [2]bool
	s.From, good[0] = ParseTime(from)
	s.To, good[1] = ParseTime(to)
	return s, good[0] && good[1] && s.From < s.To
}

// ParseTime reads a time of day, 00:00 to 24:00, as what has passed since midnight.
func ParseTime(text string) (time.Duration, bool) {
	if text == "24:00" {
		return 24 * time.Hour, true
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, false
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, true
}

// HallAdmission is what the hall says about admission for every queue that does not say it itself.
type HallAdmission struct {
	SlotMin   int    `yaml:"slot_min"`
	PerPerson *int   `yaml:"per_person"`
	Closing   string `yaml:"closing"`
	EarlyMin  *int   `yaml:"early_min"`
	LateMin   *int   `yaml:"late_min"`
}

// AdmissionOf gives the admission of a queue, all parts of it.
func (p *Plan) AdmissionOf(q Queue) Admission {
	a, hall := q.Admission, p.Rules.Admission
	a.Closing = cmp.Or(a.Closing, hall.Closing, "warn")
	a.SlotMin = cmp.Or(a.SlotMin, hall.SlotMin, 30)
	one, quarter := 1, 15
	a.PerPerson = cmp.Or(a.PerPerson, hall.PerPerson, &one)
	a.EarlyMin = cmp.Or(a.EarlyMin, hall.EarlyMin, &quarter)
	a.LateMin = cmp.Or(a.LateMin, hall.LateMin, &quarter)
	return a
}

func (c *checker) admission(path string, a *Admission) {
	for i, text := range a.Hours {
		if _, ok := ParseSpan(text); !ok {
			c.at(fmt.Sprintf("%s.hours[%d]", path, i), Hours, "value", text)
		}
	}
	c.between(path+".quota", a.Quota, 0, 100_000)
	c.between(path+".slot_quota", a.SlotQuota, 0, 100_000)
	c.hallAdmission(path, HallAdmission{a.SlotMin, a.PerPerson, a.Closing, a.EarlyMin, a.LateMin})
}

func (c *checker) hallAdmission(path string, a HallAdmission) {
	if a.SlotMin != 0 {
		c.between(path+".slot_min", a.SlotMin, 5, 24*60)
	}
	if a.Closing != "" {
		c.oneOf(path+".closing", a.Closing, "ignore", "warn", "stop")
	}
	for _, of := range []struct {
		key   string
		value *int
		high  int
	}{{"per_person", a.PerPerson, 100}, {"early_min", a.EarlyMin, 24 * 60}, {"late_min", a.LateMin, 24 * 60}} {
		if of.value != nil {
			c.between(path+"."+of.key, *of.value, 0, of.high)
		}
	}
}

func (c *checker) calendar(path string, cal *Calendar) {
	dates := set{}
	date := func(where, text string) {
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			c.at(where, Date, "value", text)
		}
		dates.add(c, where, text)
	}
	for i, text := range cal.Holidays {
		date(fmt.Sprintf("%s.holidays[%d]", path, i), text)
	}
	for _, text := range slices.Sorted(maps.Keys(cal.Workdays)) {
		where := path + ".workdays." + text
		date(where, text)
		c.oneOf(where, cal.Workdays[text], weekdays()...)
	}
}

// Voice is how calls are spoken. Who speaks is in agent.yaml: the devices whose role is speaker.
type Voice struct {
	Repeat    int      `yaml:"repeat"`    // how often each call is said; default 2
	Languages []string `yaml:"languages"` // zh-CN and zh-yue, said in turn; default zh-CN
	Rate      int      `yaml:"rate"`      // percent of the usual speed; default 100
	Volume    int      `yaml:"volume"`    // percent; default 80
	MaxAgeS   int      `yaml:"max_age_s"` // a call that could not be said for so long is not said any more; default 180

	Hours []Loudness  `yaml:"hours"` // other volumes at some hours; the first that fits holds
	Zones []VoiceZone `yaml:"zones"` // which windows a speaker calls for; others call for the place they stand at
}

// Loudness is a volume in percent at some hours, "mon-fri 12:00-14:00"; 0: nothing is said.
type Loudness struct {
	At     string `yaml:"at"`
	Volume int    `yaml:"volume"`
}

// VoiceZone is a speaker and its windows; none: all.
type VoiceZone struct {
	Speaker string   `yaml:"speaker"`
	Windows []string `yaml:"windows"`
}

// Holds says whether a span has a moment of the hall's zone in it.
func (s Span) Holds(at time.Time) bool {
	day := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	return s.Days[at.Weekday()] && day >= s.From && day < s.To
}

func (c *checker) voice(v *Voice, p *Plan) {
	c.between("$.rules.voice.repeat", v.Repeat, 1, 5)
	c.between("$.rules.voice.rate", v.Rate, 50, 150)
	c.between("$.rules.voice.volume", v.Volume, 1, 100)
	c.between("$.rules.voice.max_age_s", v.MaxAgeS, 5, 600)
	if len(v.Languages) == 0 {
		c.at("$.rules.voice.languages", strictyaml.Missing, "key", "languages")
	}
	said := set{}
	for i, l := range v.Languages {
		where := fmt.Sprintf("$.rules.voice.languages[%d]", i)
		c.oneOf(where, l, Languages()...)
		said.add(c, where, l)
	}
	for i, h := range v.Hours {
		where := fmt.Sprintf("$.rules.voice.hours[%d]", i)
		if _, ok := ParseSpan(h.At); !ok {
			c.at(where+".at", Hours, "value", h.At)
		}
		c.between(where+".volume", h.Volume, 0, 100)
	}
	speakers := set{}
	for i, z := range v.Zones {
		where := fmt.Sprintf("$.rules.voice.zones[%d]", i)
		speakers.add(c, where+".speaker", z.Speaker)
		c.references(where+".windows", z.Windows, p.windowIDs(), UnknownWindow)
	}
}

// Languages are those that calls can be spoken in: Mandarin and Cantonese.
func Languages() []string { return []string{"zh-CN", "zh-yue"} }
