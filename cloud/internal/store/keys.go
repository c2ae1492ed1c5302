package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// DataKey is a key that facts of a hall are sealed with, wrapped for the centre.
type DataKey struct {
	Hall      hallsync.HallID
	Key       string // its ID in hexadecimal
	Day       string // 2006-01-02, UTC
	Wraps     []hallsync.KeyWrap
	Destroyed time.Time // zero: it is not; then there are no wraps
}

const dataKeyColumns = `hall, data_key, key_day, wraps, destroyed_ms`

func scanDataKey(rows *sql.Rows) (DataKey, error) {
	var k DataKey
	var wraps []byte
	var destroyed int64
	if err := rows.Scan(&k.Hall, &k.Key, &k.Day, &wraps, &destroyed); err != nil {
		return k, err
	}
	if destroyed > 0 {
		k.Destroyed = time.UnixMilli(destroyed)
		return k, nil
	}
	if err := json.Unmarshal(wraps, &k.Wraps); err != nil {
		return k, fmt.Errorf("read wraps of data key %s: %w", k.Key, err)
	}
	return k, nil
}

const oneDataKey = `SELECT ` + dataKeyColumns + ` FROM data_keys WHERE hall = $1 AND data_key = $2`

// DataKey reads one data key.
func (t *Tx) DataKey(hall hallsync.HallID, key string) (k DataKey, found bool, err error) {
	err = t.query(oneDataKey, func(rows *sql.Rows) (err error) {
		found = true
		k, err = scanDataKey(rows)
		return err
	}, hall, key)
	return k, found, err
}

// DataKey reads one data key.
func (s *Store) DataKey(ctx context.Context, hall hallsync.HallID, key string) (k DataKey, found bool, err error) {
	err = s.query(ctx, oneDataKey, func(rows *sql.Rows) (err error) {
		found = true
		k, err = scanDataKey(rows)
		return err
	}, hall, key)
	return k, found, err
}

// DataKeyNames reads the names of all data keys of a hall, also of those that are destroyed.
func (s *Store) DataKeyNames(ctx context.Context, hall hallsync.HallID) (map[string]bool, error) {
	names := map[string]bool{}
	err := s.query(ctx, `SELECT data_key FROM data_keys WHERE hall = $1`, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names[name] = true
		return err
	}, hall)
	return names, err
}

// AddDataKey stores a data key if it is new, and reports whether it was. One that was destroyed does not come back.
func (t *Tx) AddDataKey(k DataKey) (added bool, err error) {
	wraps, err := json.Marshal(k.Wraps)
	if err != nil {
		return false, err
	}
	err = t.query(`INSERT INTO data_keys (`+dataKeyColumns+`) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (hall, data_key) DO NOTHING RETURNING data_key`,
		func(*sql.Rows) error { added = true; return nil }, k.Hall, k.Key, k.Day, wraps)
	return added, err
}

// RewrapDataKey stores other wraps of a data key that is not destroyed.
func (t *Tx) RewrapDataKey(k DataKey) error {
	wraps, err := json.Marshal(k.Wraps)
	if err != nil {
		return err
	}
	return t.exec(`UPDATE data_keys SET wraps = $3 WHERE hall = $1 AND data_key = $2 AND destroyed_ms = 0`, k.Hall, k.Key, wraps)
}

// DestroyDataKey takes the wraps of a data key away; its name stays.
func (t *Tx) DestroyDataKey(hall hallsync.HallID, key string, at time.Time) error {
	return t.exec(`UPDATE data_keys SET wraps = $3, destroyed_ms = $4 WHERE hall = $1 AND data_key = $2`, hall, key, []byte{}, at.UnixMilli())
}

// DataKeys reads up to limit data keys that are not destroyed, behind one of them in the order of halls and names. before, if not empty,
// wants those of days before that day.
func (s *Store) DataKeys(ctx context.Context, before string, behind DataKey, limit int) ([]DataKey, error) {
	return collect(scanDataKey, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+dataKeyColumns+` FROM data_keys WHERE destroyed_ms = 0 AND ($1 = '' OR key_day < $1)
			AND (hall > $2 OR hall = $2 AND data_key > $3) ORDER BY hall, data_key LIMIT $4`, scan, before, behind.Hall, behind.Key, limit)
	})
}

// MissKey counts facts that are sealed with a key nobody has told yet.
func (t *Tx) MissKey(hall hallsync.HallID, key string, at time.Time) error {
	return t.exec(`INSERT INTO missing_keys (hall, data_key, facts, since_ms) VALUES ($1, $2, 1, $3)
		ON CONFLICT (hall, data_key) DO UPDATE SET facts = missing_keys.facts + 1`, hall, key, at.UnixMilli())
}

// FoundKey ends that a key is missing, and reports whether it was.
func (t *Tx) FoundKey(hall hallsync.HallID, key string) (was bool, err error) {
	err = t.query(`DELETE FROM missing_keys WHERE hall = $1 AND data_key = $2 RETURNING data_key`,
		func(*sql.Rows) error { was = true; return nil }, hall, key)
	return was, err
}

// ForgetMissing ends that keys of a hall are missing, before its facts are read again.
func (t *Tx) ForgetMissing(hall hallsync.HallID) error {
	return t.exec(`DELETE FROM missing_keys WHERE hall = $1`, hall)
}

// Unread counts a hall's facts that cannot be read, for want of their keys.
func (s *Store) Unread(ctx context.Context, hall hallsync.HallID) (facts int64, err error) {
	err = s.query(ctx, `SELECT COALESCE(sum(facts), 0) FROM missing_keys WHERE hall = $1`, func(rows *sql.Rows) error {
		return rows.Scan(&facts)
	}, hall)
	return facts, err
}

// Segment is one unbroken chain of an epoch. State is where it is, with the key of the next entry, wrapped for the centre: JSON; empty while the
// chain cannot go on. Vouched is the last good checkpoint, empty for none.
type Segment struct {
	Hall    hallsync.HallID
	Epoch   string
	First   hallsync.Seq
	Start   []byte
	Head    []byte // an unsigned checkpoint: where the chain has come to
	State   []byte
	Vouched []byte
}

const segmentColumns = `hall, epoch, first_seq, start, head, state, vouched`

func scanSegment(rows *sql.Rows) (Segment, error) {
	var g Segment
	var first int64
	err := rows.Scan(&g.Hall, &g.Epoch, &first, &g.Start, &g.Head, &g.State, &g.Vouched)
	g.First = hallsync.Seq(first)
	return g, err
}

// LastSegment reads the segment of an epoch that began last.
func (t *Tx) LastSegment(hall hallsync.HallID, epoch string) (g Segment, found bool, err error) {
	err = t.query(`SELECT `+segmentColumns+` FROM segments WHERE hall = $1 AND epoch = $2 ORDER BY first_seq DESC LIMIT 1`, func(rows *sql.Rows) (err error) {
		found = true
		g, err = scanSegment(rows)
		return err
	}, hall, epoch)
	return g, found, err
}

// Segments reads the segments of an epoch in order.
func (s *Store) Segments(ctx context.Context, hall hallsync.HallID, epoch string) ([]Segment, error) {
	return collect(scanSegment, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+segmentColumns+` FROM segments WHERE hall = $1 AND epoch = $2 ORDER BY first_seq`, scan, hall, epoch)
	})
}

// PutSegment stores a segment.
func (t *Tx) PutSegment(g Segment) error {
	return t.exec(`INSERT INTO segments (`+segmentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (hall, epoch, first_seq) DO UPDATE SET head = excluded.head, state = excluded.state, vouched = excluded.vouched`,
		g.Hall, g.Epoch, int64(g.First), some(g.Start), some(g.Head), some(g.State), some(g.Vouched))
}

// some gives bytes for a column that is never NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// ChainFault is something wrong with a hall's chain, found when a fact came: Kind is a word of package chain, or segment_ and the reason why
// a new segment began.
type ChainFault struct {
	Hall  hallsync.HallID
	Epoch string
	Seq   hallsync.Seq
	Kind  string
	At    time.Time

	Known  time.Time // when somebody had looked into it; zero: nobody has
	Reason string    // that he gave
}

// AddChainFault notes a fault, and reports whether it is new.
func (t *Tx) AddChainFault(f ChainFault) (added bool, err error) {
	err = t.query(`INSERT INTO chain_faults (hall, epoch, seq, kind, at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING seq`,
		func(*sql.Rows) error { added = true; return nil }, f.Hall, f.Epoch, int64(f.Seq), f.Kind, f.At.UnixMilli())
	return added, err
}

// ChainFaults reads the faults of a hall in the order of their facts.
func (s *Store) ChainFaults(ctx context.Context, hall hallsync.HallID) ([]ChainFault, error) {
	return collect(func(rows *sql.Rows) (ChainFault, error) {
		f := ChainFault{Hall: hall}
		var seq, at, known int64
		err := rows.Scan(&f.Epoch, &seq, &f.Kind, &at, &known, &f.Reason)
		f.Seq, f.At = hallsync.Seq(seq), time.UnixMilli(at)
		if known > 0 {
			f.Known = time.UnixMilli(known)
		}
		return f, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT epoch, seq, kind, at_ms, known_ms, reason FROM chain_faults WHERE hall = $1 ORDER BY epoch, seq, kind`, scan, hall)
	})
}

// AcknowledgeChain notes that somebody has looked into all that was found of a hall's chain, and why, and gives how much of it was new. The
// alarm ends, until something else is found.
func (t *Tx) AcknowledgeChain(hall hallsync.HallID, reason string, at time.Time) (found int, err error) {
	err = t.query(`UPDATE chain_faults SET known_ms = $1, reason = $2 WHERE hall = $3 AND known_ms = 0 RETURNING seq`,
		func(*sql.Rows) error { found++; return nil }, at.UnixMilli(), reason, hall)
	if err != nil || found == 0 {
		return found, err
	}
	return found, t.exec(`UPDATE cursors SET faults = 0 WHERE hall = $1`, hall)
}

// VaultKeys reads the names of the centre's keys that were ever used.
func (s *Store) VaultKeys(ctx context.Context) ([]string, error) {
	return collect(func(rows *sql.Rows) (string, error) {
		var id string
		return id, rows.Scan(&id)
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT id FROM vault_keys ORDER BY id`, scan)
	})
}

// AddVaultKeys remembers the names of the centre's keys.
func (t *Tx) AddVaultKeys(ids []string, at time.Time) error {
	for _, id := range ids {
		if err := t.exec(`INSERT INTO vault_keys (id, seen_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, at.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// IndexKey is a key of a hall's index of people, wrapped for the centre.
type IndexKey struct {
	Hall  hallsync.HallID
	ID    string
	Wraps []hallsync.KeyWrap
	Made  time.Time
}

func scanIndexKey(rows *sql.Rows) (IndexKey, error) {
	var k IndexKey
	var wraps []byte
	var made int64
	if err := rows.Scan(&k.Hall, &k.ID, &wraps, &made); err != nil {
		return k, err
	}
	k.Made = time.UnixMilli(made)
	return k, json.Unmarshal(wraps, &k.Wraps)
}

// IndexKeys reads a hall's keys, the newest first.
func (t *Tx) IndexKeys(hall hallsync.HallID) ([]IndexKey, error) {
	return collect(scanIndexKey, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT hall, id, wraps, made_ms FROM index_keys WHERE hall = $1 ORDER BY made_ms DESC, id`, scan, hall)
	})
}

// IndexKeys reads up to limit keys of all halls, behind one of them in the order of halls and names.
func (s *Store) IndexKeys(ctx context.Context, behind IndexKey, limit int) ([]IndexKey, error) {
	return collect(scanIndexKey, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT hall, id, wraps, made_ms FROM index_keys WHERE hall > $1 OR hall = $1 AND id > $2 ORDER BY hall, id LIMIT $3`, scan,
			behind.Hall, behind.ID, limit)
	})
}

// RewrapIndexKey stores other wraps of a key that is still there.
func (t *Tx) RewrapIndexKey(k IndexKey) error {
	wraps, err := json.Marshal(k.Wraps)
	if err != nil {
		return err
	}
	return t.exec(`UPDATE index_keys SET wraps = $3 WHERE hall = $1 AND id = $2`, k.Hall, k.ID, wraps)
}

// PutIndexKey stores a key.
func (t *Tx) PutIndexKey(k IndexKey) error {
	wraps, err := json.Marshal(k.Wraps)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO index_keys (hall, id, wraps, made_ms) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hall, id) DO UPDATE SET wraps = excluded.wraps`, k.Hall, k.ID, wraps, k.Made.UnixMilli())
}

// DropIndexKey forgets a key.
func (t *Tx) DropIndexKey(hall hallsync.HallID, id string) error {
	return t.exec(`DELETE FROM index_keys WHERE hall = $1 AND id = $2`, hall, id)
}
