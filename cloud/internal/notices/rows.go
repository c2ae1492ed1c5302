package notices

import (
	"context"
	"database/sql"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Published is the bundle that a group of screens of a hall was given last.
type Published struct {
	Hall      hallsync.HallID
	Group     string
	Version   int64
	ID        string
	Manifest  []byte // as it was signed
	Sig       []byte
	At        time.Time
	Actor     string
	Heading   string    // first line of its first text; empty: pictures alone
	Withdrawn time.Time // zero: it is not
}

const columns = `hall, screens, version, id, manifest, sig, published_ms, actor, withdrawn_ms, heading`

func scan(rows *sql.Rows) (p Published, err error) {
	var at, withdrawn int64
	err = rows.Scan(&p.Hall, &p.Group, &p.Version, &p.ID, &p.Manifest, &p.Sig, &at, &p.Actor, &withdrawn, &p.Heading)
	p.At = time.UnixMilli(at)
	if withdrawn > 0 {
		p.Withdrawn = time.UnixMilli(withdrawn)
	}
	return p, err
}

// query reads bundles.
func query(read func(text string, scan func(*sql.Rows) error, args ...any) error, where string, args ...any) (list []Published, err error) {
	err = read(`SELECT `+columns+` FROM notice_bundles `+where, func(rows *sql.Rows) error {
		p, err := scan(rows)
		list = append(list, p)
		return err
	}, args...)
	return list, err
}

// reading reads beside the writer.
func (d *Desk) reading(ctx context.Context) func(string, func(*sql.Rows) error, ...any) error {
	return func(text string, scan func(*sql.Rows) error, args ...any) error {
		return d.o.Store.Query(ctx, text, scan, args...)
	}
}

// last gives the version that a group of a hall had last, 0 if it never had one.
func last(tx *store.Tx, hall hallsync.HallID, group string) (version int64, err error) {
	err = tx.Query(`SELECT version FROM notice_bundles WHERE hall = $1 AND screens = $2`,
		func(rows *sql.Rows) error { return rows.Scan(&version) }, hall, group)
	return version, err
}

// groups counts the groups of a hall that show something.
func groups(tx *store.Tx, hall hallsync.HallID) (n int, err error) {
	err = tx.Query(`SELECT count(*) FROM notice_bundles WHERE hall = $1 AND withdrawn_ms = 0`, func(rows *sql.Rows) error { return rows.Scan(&n) }, hall)
	return n, err
}

// put stores a bundle in the place of the one before it.
func put(tx *store.Tx, p Published, items []bundle.Item) error {
	err := tx.Exec(`DELETE FROM notice_contents WHERE bundle IN (SELECT id FROM notice_bundles WHERE hall = $1 AND screens = $2)`, p.Hall, p.Group)
	if err == nil {
		err = tx.Exec(`INSERT INTO notice_bundles (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)
			ON CONFLICT (hall, screens) DO UPDATE SET version = excluded.version, id = excluded.id, manifest = excluded.manifest,
			sig = excluded.sig, published_ms = excluded.published_ms, actor = excluded.actor, withdrawn_ms = 0,
			heading = excluded.heading`,
			p.Hall, p.Group, p.Version, p.ID, p.Manifest, p.Sig, p.At.UnixMilli(), p.Actor, p.Heading)
	}
	for _, i := range items {
		if err == nil {
			err = tx.Exec(`INSERT INTO notice_contents (bundle, sm3) VALUES ($1, $2) ON CONFLICT DO NOTHING`, p.ID, i.SM3.String())
		}
	}
	if err != nil {
		return err
	}
	return changed(tx, p.Hall, p.At)
}

// takeBack withdraws a bundle and reports whether there was one.
func takeBack(tx *store.Tx, hall hallsync.HallID, group string, at time.Time) (was bool, err error) {
	err = tx.Query(`UPDATE notice_bundles SET withdrawn_ms = $1 WHERE hall = $2 AND screens = $3 AND withdrawn_ms = 0 RETURNING id`,
		func(*sql.Rows) error { was = true; return nil }, at.UnixMilli(), hall, group)
	if err != nil || !was {
		return was, err
	}
	err = tx.Exec(`DELETE FROM notice_contents WHERE bundle IN (SELECT id FROM notice_bundles WHERE hall = $1 AND screens = $2)`, hall, group)
	if err == nil {
		err = changed(tx, hall, at)
	}
	return true, err
}

// changed gives a hall's next order its number.
func changed(tx *store.Tx, hall hallsync.HallID, at time.Time) error {
	return tx.Exec(`INSERT INTO notice_orders (hall, number, changed_ms) VALUES ($1, $2, $3)
		ON CONFLICT (hall) DO UPDATE SET number = MAX(notice_orders.number + 1, excluded.number), changed_ms = excluded.changed_ms`,
		hall, at.Unix(), at.UnixMilli())
}

// keepFile stores a file that is not there yet.
func keepFile(tx *store.Tx, f file) error {
	return tx.Exec(`INSERT INTO notice_files (sm3, data) VALUES ($1, $2) ON CONFLICT (sm3) DO NOTHING`, f.item.SM3.String(), f.data)
}

// sweep drops the files that no bundle has.
func sweep(tx *store.Tx) error {
	return tx.Exec(`DELETE FROM notice_files WHERE NOT EXISTS (SELECT 1 FROM notice_contents WHERE notice_contents.sm3 = notice_files.sm3)`)
}

// content reads a file.
func (d *Desk) content(ctx context.Context, sm3 bundle.Digest) (data []byte, err error) {
	err = d.o.Store.Query(ctx, `SELECT data FROM notice_files WHERE sm3 = $1`, func(rows *sql.Rows) error { return rows.Scan(&data) }, sm3.String())
	return data, err
}

// number reads the number of a hall's order, 0 if there is none.
func (d *Desk) number(ctx context.Context, hall hallsync.HallID) (number uint64, err error) {
	err = d.o.Store.Query(ctx, `SELECT number FROM notice_orders WHERE hall = $1`, func(rows *sql.Rows) error { return rows.Scan(&number) }, hall)
	return number, err
}

// since lists the halls whose order has changed since a time, and when the last of them did.
func (d *Desk) since(ctx context.Context, ms int64) (halls []hallsync.HallID, latest int64, err error) {
	latest = ms
	err = d.o.Store.Query(ctx, `SELECT hall, changed_ms FROM notice_orders WHERE changed_ms >= $1`, func(rows *sql.Rows) error {
		var hall hallsync.HallID
		var at int64
		err := rows.Scan(&hall, &at)
		halls, latest = append(halls, hall), max(latest, at+1)
		return err
	}, ms)
	return halls, latest, err
}
