package store

import "go.etcd.io/bbolt"

// Committing lets a test stand between the store and bbolt.
func (o Options) Committing(commit func(*bbolt.Tx) error) Options {
	o.commit = commit
	return o
}
