// Package notices gives the halls' screens their notices: it makes bundles of files, signs them with the content key when somebody
// publishes them, and tells each hall which of them it is to show.
package notices

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Options of New.
type Options struct {
	Store   *store.Store
	Content hallsync.MessageSigner                                        // the content key, signs bundles; nil: nobody publishes
	Sign    hallsync.MessageSigner                                        // signs orders; nil: nobody is told
	Publish func(hall hallsync.HallID, leaf string, payload []byte) error // sends to a hall that is there; nil: nobody is told
	Now     func() time.Time
	Log     *slog.Logger
}

// Desk publishes notices. It is safe for concurrent use, also beside another process with the same database.
type Desk struct{ o Options }

// New gives the desk.
func New(o Options) *Desk { return &Desk{o} }

// File is a file that somebody wants shown. Of its name only the ending counts: .png, .jpg, .jpeg or .txt.
type File struct {
	Name string
	Data []byte
}

// Order is what somebody publishes: the same files for a group of screens of some halls.
type Order struct {
	Halls       []hallsync.HallID
	Group       string
	From, Until time.Time
	Files       []File // in the order in which they are shown
}

// Actor is who does something, for the audit.
type Actor struct {
	Name string // user, or account of the machine
	By   string // how he came in, as package access says it
	From string // network address; empty: at the machine itself
}

// file is a file under the name it goes by in a bundle.
type file struct {
	item bundle.Item
	data []byte
}

// Publish makes the bundle of each hall, signs it with the content key and stores it; what its screens had before ends with it. It fails with
// *bundle.Error for files that no screen shows, whose Item is the name of the file.
func (d *Desk) Publish(ctx context.Context, o Order, by Actor) error {
	files, err := look(o.Files)
	if err != nil {
		return err
	}
	now, title := d.o.Now(), heading(files)
	m := bundle.Manifest{Group: o.Group, From: o.From.UTC().Truncate(time.Second), Until: o.Until.UTC().Truncate(time.Second)}
	for _, f := range files {
		m.Items = append(m.Items, f.item)
	}
	if m.Over(now) {
		return &bundle.Error{Code: bundle.CodeExpired}
	}
	return d.o.Store.Write(ctx, func(tx *store.Tx) error {
		for _, f := range files {
			if err := keepFile(tx, f); err != nil {
				return err
			}
		}
		for _, hall := range o.Halls {
			if err := publish(tx, hall, m, title, d.o.Content, by, now); err != nil {
				return err
			}
		}
		return sweep(tx)
	})
}

// publish signs and stores the bundle of one hall.
func publish(tx *store.Tx, hall hallsync.HallID, m bundle.Manifest, title string, key hallsync.MessageSigner, by Actor, now time.Time) error {
	before, err := last(tx, hall, m.Group)
	if err != nil {
		return err
	}
	m.Hall, m.Version = hall, max(before+1, now.Unix()) // rises also after the database was restored
	manifest, sig, err := bundle.Sign(m, key)
	if err != nil {
		return err
	}
	p := Published{
		Hall: hall, Group: m.Group, Version: m.Version, ID: bundle.ID(manifest), Manifest: manifest, Sig: sig, At: now, Actor: by.Name, Heading: title,
	}
	if err := put(tx, p, m.Items); err != nil {
		return err
	}
	if n, err := groups(tx, hall); err != nil || n > bundle.MaxGroups {
		return errors.Join(err, &bundle.Error{Code: bundle.CodeForm, Err: fmt.Errorf("%d groups of screens", n)})
	}
	return tx.AddAudit(audit(by, store.ActionNoticePublish, hall, now))
}

func audit(by Actor, action string, hall hallsync.HallID, now time.Time) store.Audit {
	return store.Audit{At: now, Actor: by.Name, By: by.By, Action: action, Subject: string(hall), Result: "ok", Remote: by.From}
}

// look looks through files as every hall will, and gives them the names that they go by.
func look(files []File) (out []file, err error) {
	for n, f := range files {
		is := typeOf(f.Name)
		if is == bundle.Text {
			f.Data = bytes.ReplaceAll(bytes.TrimPrefix(f.Data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
		}
		if len(f.Data) > bundle.MaxItem {
			return nil, &bundle.Error{Code: bundle.CodeContent, Item: filepath.Base(f.Name), Err: errors.New("too large")}
		}
		if _, err := bundle.Look(is, f.Data); err != nil {
			return nil, &bundle.Error{Code: bundle.CodeContent, Item: filepath.Base(f.Name), Err: err}
		}
		i := bundle.Item{Path: fmt.Sprintf("%02d%s", n+1, is.Ending()), SM3: bundle.DigestOf(f.Data), Size: int64(len(f.Data)), Type: is}
		out = append(out, file{i, f.Data})
	}
	return out, nil
}

// heading gives the first line of the first text.
func heading(files []file) string {
	for _, f := range files {
		if f.item.Type == bundle.Text {
			first, _, _ := strings.Cut(strings.TrimSpace(string(f.data)), "\n")
			return strings.TrimSpace(first)
		}
	}
	return ""
}

// typeOf gives the type of a file by its ending, empty for one that no screen shows.
func typeOf(name string) bundle.Type {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png":
		return bundle.PNG
	case ".jpg", ".jpeg":
		return bundle.JPEG
	case ".txt":
		return bundle.Text
	}
	return ""
}

// Withdraw ends what a group of screens shows at some halls, and gives those where there was something.
func (d *Desk) Withdraw(ctx context.Context, halls []hallsync.HallID, group string, by Actor) (ended []hallsync.HallID, err error) {
	now := d.o.Now()
	err = d.o.Store.Write(ctx, func(tx *store.Tx) error {
		ended = nil
		for _, hall := range halls {
			was, err := takeBack(tx, hall, group, now)
			if err == nil && was {
				ended = append(ended, hall)
				err = tx.AddAudit(audit(by, store.ActionNoticeWithdraw, hall, now))
			}
			if err != nil {
				return err
			}
		}
		return sweep(tx)
	})
	return ended, err
}

// List gives what was published last, withdrawn or not, by hall and group.
func (d *Desk) List(ctx context.Context) ([]Published, error) {
	return query(d.reading(ctx), `ORDER BY hall, screens`)
}

// Archive writes the bundle that a group of screens of a hall shows, and reports whether there is one.
func (d *Desk) Archive(ctx context.Context, hall hallsync.HallID, group string, w io.Writer) (found bool, err error) {
	list, err := query(d.reading(ctx), `WHERE hall = $1 AND screens = $2 AND withdrawn_ms = 0`, hall, group)
	if err != nil || len(list) == 0 {
		return false, err
	}
	return true, d.write(ctx, list[0], w)
}

func (d *Desk) write(ctx context.Context, p Published, w io.Writer) error {
	m, err := p.Read()
	if err != nil {
		return err
	}
	return bundle.Write(w, p.Manifest, p.Sig, m.Items, func(i bundle.Item) ([]byte, error) { return d.content(ctx, i.SM3) })
}

// Handler answers GET /edge/v1/bundles/{id} for the hall that asks, which hallOf knows by its certificate: a hall gets its own bundles.
func (d *Desk) Handler(hallOf func(*http.Request) (hallsync.HallID, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hall, ok := hallOf(r)
		if !ok {
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		list, err := query(d.reading(r.Context()), `WHERE id = $1 AND hall = $2 AND withdrawn_ms = 0`, r.PathValue("id"), hall)
		switch {
		case err != nil:
			d.o.Log.Error("bundle not read", "hall", hall, "error", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		case len(list) == 0:
			http.NotFound(w, r)
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTime)) // a recorder in a test has none
		w.Header().Set("Content-Type", "application/zip")
		if err := d.write(r.Context(), list[0], w); err != nil { // the box sees that it is cut short
			d.o.Log.Warn("bundle not sent", "hall", hall, "error", err)
		}
	})
}

// sendTime bounds how long a hall may take for a bundle: 64 MiB at 2 Mbit/s.
const sendTime = 5 * time.Minute

// orderLife is how long an order may be followed. A hall gets its order again whenever it connects.
const orderLife = 24 * time.Hour

// Tell sends a hall the order about its notices, if it ever had any.
func (d *Desk) Tell(ctx context.Context, hall hallsync.HallID) error {
	raw, err := d.order(ctx, hall)
	if err != nil || raw == nil {
		return err
	}
	body, err := json.Marshal(hallsync.Settings{Notices: raw})
	if err != nil {
		return fmt.Errorf("notices: order: %w", err)
	}
	return d.o.Publish(hall, hallsync.DownConfig, body)
}

// order signs the order about a hall's notices; nil if it never had any.
func (d *Desk) order(ctx context.Context, hall hallsync.HallID) ([]byte, error) {
	number, err := d.number(ctx, hall)
	if err != nil || number == 0 {
		return nil, err
	}
	list, err := query(d.reading(ctx), `WHERE hall = $1 AND withdrawn_ms = 0 ORDER BY screens`, hall)
	if err != nil {
		return nil, err
	}
	body := hallsync.NoticesOrdered{Bundles: []hallsync.BundleOrdered{}}
	for _, p := range list {
		body.Bundles = append(body.Bundles, hallsync.BundleOrdered{Group: p.Group, Version: p.Version, ID: p.ID})
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("notices: order: %w", err)
	}
	now := d.o.Now()
	return hallsync.Signed{
		Type: hallsync.SignedNotices, Hall: hall, Seq: number, At: now, NotAfter: now.Add(orderLife), Body: raw,
	}.Sign(d.o.Sign)
}

// TellSince tells halls what was published since a time, by whatever process, and gives the time to go on from. Those that are not there are
// told when they come.
func (d *Desk) TellSince(ctx context.Context, ms int64) (latest int64, err error) {
	halls, latest, err := d.since(ctx, ms)
	if err != nil {
		return ms, err
	}
	for _, hall := range halls {
		err = errors.Join(err, d.Tell(ctx, hall))
	}
	return latest, err
}
