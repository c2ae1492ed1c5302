package store

import "go.etcd.io/bbolt"

// InsteadOfCommit lets a test stand between the writer and bbolt. It must be called before Run.
func (s *Store) InsteadOfCommit(end func(*bbolt.Tx) error) { s.end = end }
