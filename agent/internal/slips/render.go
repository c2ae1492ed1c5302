package slips

import (
	"errors"
	"fmt"
	"image"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Data is what a slip says about one ticket. Hall, Number, Queue, Serial and TakenAt are always there.
type Data struct {
	Hall                 string
	Number               string // A023
	Queue                string // name of the queue
	Dept                 string
	Class                hallsync.Class
	Windows              []string // that serve the queue, as people see them
	Ahead                int
	Wait                 *hallsync.WaitRange // nil: not known, and not printed
	TakenAt              time.Time           // printed in its own location, as the booked times are
	BookedFrom, BookedTo time.Time           // of the appointment; zero: there is none
	Then                 []string            // names of the queues to go on to with the same number
	Serial               string              // running number of the day
	Link                 string              // address in the QR code
	Copy                 int                 // 0 the first slip, 1 the first reprint …
	Logo                 *image.Gray         // of the hall; nil: it has none
}

// timeForm is how a time stands on paper.
const timeForm = "2006-01-02 15:04:05"

// clockForm is how a time of the same day stands on paper.
const clockForm = "15:04"

// contents are the texts for the names of a template; an empty one drops the lines that name it.
func (t *Template) contents(d Data) map[string]string {
	c := map[string]string{
		"hall": d.Hall, "number": d.Number, "queue": d.Queue, "dept": d.Dept, "class": t.t.Classes[string(d.Class)],
		"windows": strings.Join(d.Windows, "、"), "ahead": strconv.Itoa(d.Ahead), "wait_low": "", "wait_high": "",
		"time": d.TakenAt.Format(timeForm), "serial": d.Serial, "link": d.Link, "copy": "",
		"booked": "", "then": strings.Join(d.Then, " → "),
	}
	if !d.BookedFrom.IsZero() {
		c["booked"] = d.BookedFrom.Format(clockForm) + "–" + d.BookedTo.Format(clockForm)
	}
	if d.Wait != nil {
		c["wait_low"] = strconv.Itoa(minutes(d.Wait.LowS))
		c["wait_high"] = strconv.Itoa(minutes(d.Wait.HighS))
	}
	if d.Copy > 0 {
		c["copy"] = strconv.Itoa(d.Copy)
	}
	return c
}

// contentNames lists the names a template may use.
func contentNames() []string {
	return slices.Sorted(maps.Keys((&Template{}).contents(Data{})))
}

func minutes(seconds int) int { return (seconds + 59) / 60 }

// Render fills the template. The job's ID is the serial and the copy. It fails when the ticket has no number, serial or
// hall: such a slip would be worth nothing.
func (t *Template) Render(d Data) (device.PrintJob, error) {
	if d.Number == "" || d.Serial == "" || d.Hall == "" {
		return device.PrintJob{}, fmt.Errorf("render slip %s: %w", t.name, errors.New("number, serial or hall is missing"))
	}
	job := device.PrintJob{ID: d.Serial + "-" + strconv.Itoa(d.Copy), Cut: t.t.Cut, Beep: t.t.Beep}
	contents := t.contents(d)
	for _, l := range t.t.Lines {
		if l.Logo {
			job.Lines = append(job.Lines, l.logo(d)...)
			continue
		}
		job.Lines = append(job.Lines, l.fill(contents)...)
	}
	return job, nil
}

// logo gives the hall's logo, nothing where the hall has none.
func (l line) logo(d Data) []device.Line {
	if d.Logo == nil {
		return nil
	}
	return []device.Line{{Picture: d.Logo, Align: device.Align(l.Align)}}
}

// fill gives what one line of the template prints: nothing when something it names is empty.
func (l line) fill(contents map[string]string) []device.Line {
	out := device.Line{Align: device.Align(l.Align), Size: l.Size, Bold: l.Bold, Rule: l.Rule, Feed: l.Feed}
	if l.Rule || l.Feed > 0 {
		return []device.Line{out}
	}
	text, complete := insert(l.Text+l.QR+l.Code128, contents) // only one of them is set
	switch {
	case !complete:
		return nil
	case l.QR != "":
		out.QR, out.QRDot = text, l.Dot
		return []device.Line{out}
	case l.Code128 != "":
		out.Code128 = text
		return []device.Line{out}
	}
	out.Text = text
	return []device.Line{out}
}

func insert(text string, contents map[string]string) (filled string, complete bool) {
	complete = true
	filled = placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value := contents[strings.Trim(name, "{}")]
		complete = complete && value != ""
		return value
	})
	return filled, complete
}
