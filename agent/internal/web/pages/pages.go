// Package pages gives the hall's pages for people: kiosk, window, screen, rating, guide's desk, director's board, operations, and
// a citizen's own ticket. A page is a shell with its setup; what it shows comes from the interface and its stream. Whoever is not
// let in gets the same address with a way in.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/dist"
	"halledge/agent/internal/web/proof"
	"halledge/agent/internal/web/trust"
	"halledge/agent/kit/problem"
)

//go:embed templates/*.html
var templates embed.FS

// Options of New; all but Trust are required.
type Options struct {
	Site    *config.Site
	Plan    *config.Plan
	Trust   *trust.Keeper // of the server's certificate; nil: it has none
	Door    *access.Door
	Proofs  *proof.Maker
	Signer  *codes.Signer
	Catalog *problem.Catalog
	Log     *slog.Logger
	Now     func() time.Time
}

// Pages answers for the pages. It is safe for concurrent use.
type Pages struct {
	opts    Options
	shells  *template.Template
	assets  map[string]asset
	version string
	zone    *time.Location
}

type asset struct {
	data []byte
	kind string // media type
	hash string
}

// kindOf gives the media type of a built file. The machine's own table may differ, and takes a megabyte of memory.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// New reads the built pages.
func New(o Options) (*Pages, error) {
	zone, err := time.LoadLocation(o.Plan.Zone)
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	p := &Pages{opts: o, assets: map[string]asset{}, zone: zone}
	all := sha256.New()
	err = fs.WalkDir(dist.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dist.FS(), name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		all.Write(sum[:])
		p.assets[name] = asset{data: data, kind: kindOf(name), hash: hex.EncodeToString(sum[:6])}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if p.shells, err = p.parse(); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	names, err := json.Marshal([]any{o.Site.Hall, o.Plan.Queues, o.Plan.Windows, o.Plan.Kiosks, o.Plan.Screens, staffNames(o.Plan)})
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	all.Write(names)
	p.version = hex.EncodeToString(all.Sum(nil)[:6])
	return p, nil
}

// parse reads the templates, without their indentation: people read the files, and machines fetch the pages.
func (p *Pages) parse() (*template.Template, error) {
	names, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := template.New("").Funcs(template.FuncMap{"asset": p.address})
	for _, name := range names {
		text, err := fs.ReadFile(templates, name)
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(text), "\n")
		for i := range lines {
			lines[i] = strings.TrimLeft(lines[i], " ")
		}
		if _, err := all.New(path.Base(name)).Parse(strings.Join(lines, "\n")); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Version changes with the pages and with what they were made from, so that a page that has been open for months can tell.
func (p *Pages) Version() string { return p.version }

// address gives the address of a page's script or style sheet, with its hash, so that it can be cached for ever.
func (p *Pages) address(page, ending string) (string, error) {
	name := page + "." + ending
	a, ok := p.assets[name]
	if !ok {
		return "", fmt.Errorf("no asset %s", name)
	}
	return "/assets/" + name + "?v=" + a.hash, nil
}

// Register puts the pages on a mux.
func (p *Pages) Register(mux access.Mux) {
	mux.HandleFunc("GET /{$}", p.portal)
	mux.HandleFunc("GET /kiosk/{id}", p.kiosk)
	mux.HandleFunc("GET /window/{id}", p.window)
	mux.HandleFunc("GET /screen/{id}", p.screen)
	mux.HandleFunc("GET /rate/{id}", p.rate)
	mux.HandleFunc("GET /desk", p.desk)
	mux.HandleFunc("GET /board", p.board)
	mux.HandleFunc("GET /board/plan", p.plan)
	mux.HandleFunc("GET /board/rerun", p.rerun)
	mux.HandleFunc("GET /ops", p.ops)
	mux.HandleFunc("GET /t/{token}", p.ticket)
	mux.HandleFunc("GET /assets/{file}", p.asset)
	if p.opts.Trust != nil {
		mux.HandleFunc("GET "+trustPath, p.trust)
		mux.HandleFunc("GET "+rootPath, p.root)
	}
}

// shell is what a page's template is filled from.
type shell struct {
	Name    string // of the template, the script and the style sheet
	Build   string // of another script and style sheet
	Camera  bool   // it may use the machine's camera
	Style   string // of another style sheet, for pages without a script
	Title   string
	Hall    string
	Place   string      // what the place is called
	Setup   template.JS // JSON for the script
	Open    bool        // somebody is let in
	Staffed bool        // people sign in here; else a device does
	User    string      // who has locked it
	Refused string      // why the token in the address opened nothing
	Groups  []linkGroup
	Root    rootShown
}

// show answers with a page. page is the name its cookie goes by, empty for pages without one.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, page string, s shell, setup map[string]any) {
	var who access.Who
	if page != "" {
		done, refused := p.opts.Door.Enter(w, r, page)
		if done {
			return
		}
		if refused != "" {
			s.Refused = p.opts.Catalog.Say(string(refused), nil)
		}
		var err error
		who, err = p.opts.Door.AtPage(r, page)
		s.Open = err == nil && who.Role != access.Locked
		if _, code, args := access.NotIn(err); code == access.SessionTaken {
			s.Refused = p.opts.Catalog.Say(string(code), args)
		}
		if err == nil && !s.Open {
			s.Refused = p.opts.Catalog.Say(string(access.SessionLocked), nil)
		}
	}
	if !s.Open && !s.Staffed { // no machine of the hall: it asks to become one
		s.Build, setup = "pair", map[string]any{}
	}
	if s.Open && s.Camera {
		access.AllowCamera(w.Header())
	}
	setup["as"], setup["version"] = page, p.version
	_, east := p.opts.Now().In(p.zone).Zone()
	setup["east"] = east / 60
	if s.Open {
		setup["person"], setup["me"] = who.Name, who.Staff
	}
	if s.Open && who.Role == access.Screen {
		setup["session"], setup["now"] = p.opts.Proofs.Session(who.Credential, page), time.Now().UnixMilli()
	}
	if s.Staffed {
		places, own := p.opts.Door.CardsAt(page)
		setup["cards"], setup["cards_own"], setup["lock_s"] = len(places) > 0, own, p.opts.Door.LockSeconds(page)
		s.User = string(who.Staff)
	}
	raw, err := json.Marshal(setup)
	if err != nil {
		p.broken(w, s.Name, err)
		return
	}
	s.Hall, s.Setup = p.opts.Site.Hall.Name, template.JS(raw) // the encoder leaves no character that could end the element
	p.render(w, http.StatusOK, s)
}

func (p *Pages) render(w http.ResponseWriter, status int, s shell) {
	var b bytes.Buffer
	if err := p.shells.ExecuteTemplate(&b, s.Name+".html", s); err != nil {
		p.broken(w, s.Name, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that has gone away cannot be told anything
}

func (p *Pages) broken(w http.ResponseWriter, name string, err error) {
	p.opts.Log.Error("page not made", "page", name, "error", err)
	problem.Write(w, p.opts.Catalog.Problem(http.StatusInternalServerError, "internal", nil))
}

// asset answers for scripts, style sheets and the icon.
func (p *Pages) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("file")]
	if !ok {
		p.missing(w, r, http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	if r.URL.Query().Get("v") == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	_, _ = w.Write(a.data)
}

// Missing answers for the addresses and methods a mux does not know, as problems, and to browsers as a page.
func (p *Pages) Missing(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		plain := &discarding{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(plain, r) // the mux's own answer, for its status and Allow
		if allow := plain.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		status := plain.status
		if status != http.StatusMethodNotAllowed { // the mux would send an unclean address on to a clean one that is not there either
			status = http.StatusNotFound
		}
		p.missing(w, r, status)
	})
}

func (p *Pages) missing(w http.ResponseWriter, r *http.Request, status int) {
	code := problem.Code("not_found")
	if status == http.StatusMethodNotAllowed {
		code = "method_not_allowed"
	}
	args := map[string]string{"method": r.Method}
	if strings.HasPrefix(r.URL.Path, "/api/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		problem.Write(w, p.opts.Catalog.Problem(status, code, args))
		return
	}
	text, _ := p.opts.Catalog.Text(string(code), args)
	p.render(w, status, shell{Name: "missing", Style: "plain", Title: text.Title, Hall: p.opts.Site.Hall.Name, Place: text.Detail + text.Advice})
}

// discarding keeps an answer's status and header, not its text.
type discarding struct {
	header http.Header
	status int
}

func (d *discarding) Header() http.Header         { return d.header }
func (d *discarding) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarding) WriteHeader(status int)      { d.status = status }
