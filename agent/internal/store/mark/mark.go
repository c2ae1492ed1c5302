// Package mark gives what lies beside a hall's database and knows which file was used here last: one that comes back from a backup is another,
// and so is none at all.
package mark

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"

	"halledge/agent/kit/whole"
)

// Mark is what is known. The stamp of a database is drawn at each start; the empty one is that of a database of an older program.
type Mark struct {
	Stamps []string `json:"stamps"` // the database's; while it changes the next one, too
	// On Day the numbers of so many logs before the present one were passed over.
	Day  string `json:"day,omitempty"` // 2006-01-02
	Logs int    `json:"logs,omitempty"`
}

// Read gives the mark; it is not there beside a first database, or one of an older program. One that cannot be read is that of another
// file, and comes with why.
func Read(file string) (m Mark, there bool, err error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return Mark{}, true, err
	}
	return m, true, nil
}

// Write brings the mark to the disk.
func (m Mark) Write(file string) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return whole.Write(file, raw)
}

// Knows reports whether the database with a stamp is the one that was used last.
func (m Mark) Knows(stamp string) bool { return slices.Contains(m.Stamps, stamp) }

// Before counts the logs that one of a business day follows when its numbers are not here: those that were passed over, and the last one.
func (m Mark) Before(day string) int {
	if m.Day == day {
		return m.Logs + 1
	}
	return 1
}
