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
	problems []error
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
		o.problem(key, v, "must be one of "+strings.Join(allowed, ", "))
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
		o.problem(key, text, fmt.Sprintf("must be a number from %d to %d", lowest, highest))
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
		o.problem(key, text, fmt.Sprintf("must be a time from %v to %v", lowest, highest))
		return def
	}
	return d
}

// Hex gives at most limit bytes written in hexadecimal, spaces allowed, or nil when key is not set.
func (o *Options) Hex(key string, limit int) []byte {
	text := o.String(key, "")
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil || len(b) > limit {
		o.problem(key, text, fmt.Sprintf("must be at most %d bytes in hexadecimal", limit))
		return nil
	}
	return b
}

// Reject adds a problem that the driver itself found.
func (o *Options) Reject(key, why string) { o.problem(key, o.values[key], why) }

func (o *Options) problem(key, value, why string) {
	o.problems = append(o.problems, fmt.Errorf("option %s: %q: %s", key, value, why))
}

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
		problems = append(problems, fmt.Errorf("option %s: unknown, known are %s", key, strings.Join(o.asked, ", ")))
	}
	if len(problems) == 0 {
		return nil
	}
	return badConfig(o.name, errors.Join(problems...))
}
