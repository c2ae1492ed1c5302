package store

import (
	"time"

	"go.etcd.io/bbolt"
)

// Committing lets a test stand between the store and bbolt.
func (o Options) Committing(commit func(*bbolt.Tx) error) Options {
	o.commit = commit
	return o
}

// Sealing lets a data key seal few records.
func (o Options) Sealing(records uint64) Options {
	o.records = records
	return o
}

// Quiet lets the writer copy the file soon.
func (o Options) Quiet(d time.Duration) Options {
	o.quiet = d
	return o
}
