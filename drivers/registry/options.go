package registry

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OptionError is an option that cannot be as it is.
type OptionError struct {
	Key, Value string
	Unknown    bool     // there is no such option
	Allowed    []string // all values that it may have; of an unknown one, all options there are
	Low, High  string   // of a number or a time, both ends
	Why        string   // neither of these
}

func (e *OptionError) Error() string {
	switch {
	case e.Unknown:
		return fmt.Sprintf("option %s: unknown, known are %s", e.Key, strings.Join(e.Allowed, ", "))
	case e.Allowed != nil:
		return fmt.Sprintf("option %s: %q: must be one of %s", e.Key, e.Value, strings.Join(e.Allowed, ", "))
	case e.High != "":
		return fmt.Sprintf("option %s: %q: must be from %s to %s", e.Key, e.Value, e.Low, e.High)
	}
	return fmt.Sprintf("option %s: %q: %s", e.Key, e.Value, e.Why)
}

// OptionErrors gives all options that made Build fail with err.
func OptionErrors(err error) []*OptionError {
	var list *optionErrors
	if errors.As(err, &list) {
		return *list
	}
	return nil
}

// optionErrors are all that is wrong with the options of a device.
type optionErrors []*OptionError

func (l *optionErrors) Error() string {
	var all []string
	for _, e := range *l {
		all = append(all, e.Error())
	}
	return strings.Join(all, "\n")
}

// Options reads a driver's options one by one and collects what is wrong with them. A key that nobody asked for is wrong too, so
// a slip of the pen does not pass for a default.
//
//	o := registry.NewOptions(cfg)
//	columns := o.Int("columns", 32, 16, 96)
//	if err := o.Err(); err != nil { return nil, err }
type Options struct {
	name     string
	values   map[string]string
	asked    []string
	problems optionErrors
}

// NewOptions starts to read the options of cfg.
func NewOptions(cfg Config) *Options { return &Options{name: cfg.Name, values: cfg.Options} }

// String gives the text of key, or def when it is not set.
func (o *Options) String(key, def string) string {
	o.asked = append(o.asked, key)
	if v, ok := o.values[key]; ok {
		return v
	}
	return def
}

// OneOf gives the text of key, which must be one of allowed, or def when it is not set.
func (o *Options) OneOf(key, def string, allowed ...string) string {
	v := o.String(key, def)
	if !slices.Contains(allowed, v) {
		o.problem(OptionError{Key: key, Value: v, Allowed: allowed})
		return def
	}
	return v
}

// Int gives the number of key, from lowest to highest, or def when it is not set. It may be written as 16 or 0x10.
func (o *Options) Int(key string, def, lowest, highest int) int {
	text := o.String(key, "")
	if text == "" {
		return def
	}
	n, err := strconv.ParseInt(text, 0, 32)
	if err != nil || int(n) < lowest || int(n) > highest {
		o.problem(OptionError{Key: key, Value: text, Low: strconv.Itoa(lowest), High: strconv.Itoa(highest)})
		return def
	}
	return int(n)
}

// Bool gives true or false, or def when key is not set.
func (o *Options) Bool(key string, def bool) bool {
	return o.OneOf(key, strconv.FormatBool(def), "true", "false") == "true"
}

// Duration gives a time such as 500ms or 2s, from lowest to highest, or def when key is not set.
func (o *Options) Duration(key string, def, lowest, highest time.Duration) time.Duration {
	text := o.String(key, "")
	if text == "" {
		return def
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < lowest || d > highest {
		o.problem(OptionError{Key: key, Value: text, Low: lowest.String(), High: highest.String()})
		return def
	}
	return d
}

// Hex gives at most limit bytes written in hexadecimal, spaces allowed, or nil when key is not set.
func (o *Options) Hex(key string, limit int) []byte {
	text := o.String(key, "")
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil || len(b) > limit {
		o.problem(OptionError{Key: key, Value: text, Why: fmt.Sprintf("must be at most %d bytes in hexadecimal", limit)})
		return nil
	}
	return b
}

// Reject adds a problem that the driver itself found.
func (o *Options) Reject(key, why string) {
	o.problem(OptionError{Key: key, Value: o.values[key], Why: why})
}

func (o *Options) problem(e OptionError) { o.problems = append(o.problems, &e) }

// Err gives all problems as one *device.Error with CodeBadConfig, or nil. Call it when every option was asked for.
func (o *Options) Err() error {
	var unknown []string
	for key := range o.values {
		if !slices.Contains(o.asked, key) {
			unknown = append(unknown, key)
		}
	}
	problems := slices.Clone(o.problems)
	slices.Sort(unknown)
	for _, key := range unknown {
		problems = append(problems, &OptionError{Key: key, Value: o.values[key], Unknown: true, Allowed: o.asked})
	}
	if len(problems) == 0 {
		return nil
	}
	return badConfig(o.name, &problems)
}
