package pages

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"halledge/agent/internal/config"
	"halledge/agent/internal/web/access"
)

// named is something with an id and a name, as pages need it.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *Pages) queues(only []string) []map[string]string {
	out := []map[string]string{}
	for _, q := range p.opts.Plan.Queues {
		if len(only) == 0 || slices.Contains(only, q.ID) {
			out = append(out, map[string]string{
				"id": q.ID, "name": q.Name, "english": q.English, "dept": q.Dept, "identity": q.Identity, "windows": p.windowsOf(q.ID),
			})
		}
	}
	return out
}

// windowsOf lists the windows of a queue for people: "1、3–6 号".
func (p *Pages) windowsOf(queue string) string {
	var ids []string
	for _, w := range p.opts.Plan.Windows {
		if slices.Contains(w.Queues, queue) {
			ids = append(ids, w.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return strings.Join(runs(ids), "、") + " 号"
}

// runs shortens three or more numbers that follow each other to the first and the last.
func runs(ids []string) []string {
	var out []string
	for i := 0; i < len(ids); {
		end := i
		for end+1 < len(ids) && follows(ids[end], ids[end+1]) {
			end++
		}
		if end-i >= 2 {
			out = append(out, ids[i]+"–"+ids[end])
		} else {
			out = append(out, ids[i:end+1]...)
		}
		i = end + 1
	}
	return out
}

func follows(a, b string) bool {
	x, errA := strconv.Atoi(a)
	y, errB := strconv.Atoi(b)
	return errA == nil && errB == nil && y == x+1
}

func (p *Pages) windows() []named {
	out := []named{}
	for _, w := range p.opts.Plan.Windows {
		out = append(out, named{w.ID, w.Name})
	}
	return out
}

func (p *Pages) kiosks() []named {
	out := []named{}
	for _, k := range p.opts.Plan.Kiosks {
		out = append(out, named{k.ID, k.Name})
	}
	return out
}

// find gives the index of the item whose id the path names, or answers 404.
func find[T any](p *Pages, w http.ResponseWriter, r *http.Request, list []T, id func(T) string) (T, bool) {
	i := slices.IndexFunc(list, func(item T) bool { return id(item) == r.PathValue("id") })
	if i < 0 || !access.ValidID(r.PathValue("id")) {
		p.missing(w, r, http.StatusNotFound)
		var none T
		return none, false
	}
	return list[i], true
}

func (p *Pages) kiosk(w http.ResponseWriter, r *http.Request) {
	k, ok := find(p, w, r, p.opts.Plan.Kiosks, func(k config.Kiosk) string { return k.ID })
	if !ok {
		return
	}
	s := shell{Name: "kiosk", Title: "自助取号", Place: k.Name, Camera: k.SeesCodes()}
	if s.Camera {
		s.Build = "kiosk-camera"
	}
	p.show(w, r, "kiosk-"+k.ID, s, map[string]any{
		"queues": p.queues(k.Queues), "reads": p.reads(k), "desk": k.Desk,
	})
}

// reads lists what a kiosk can read with: "idcard" for identity cards, "scanner" and "camera", its browser's own, for codes.
func (p *Pages) reads(k config.Kiosk) []string {
	at, out := config.Place{Kind: "kiosk", ID: k.ID}, []string{}
	for _, d := range p.opts.Site.Devices {
		if place, role, ok := d.Split(); ok && place == at && (role == "idcard" || role == "scanner") {
			out = append(out, role)
		}
	}
	if k.SeesCodes() {
		out = append(out, "camera")
	}
	return out
}

func (p *Pages) window(w http.ResponseWriter, r *http.Request) {
	win, ok := find(p, w, r, p.opts.Plan.Windows, func(w config.Window) string { return w.ID })
	if !ok {
		return
	}
	p.show(w, r, "window-"+win.ID, shell{Name: "window", Title: win.Name, Place: win.Name, Staffed: true}, map[string]any{
		"window": win.ID, "name": win.Name, "queues": p.queues(nil), "windows": p.windows(), "limits": p.limitsOf(),
		"directs": p.directs(r, "window-"+win.ID),
	})
}

// screen is a calling screen of the whole hall or of some windows; with ?window=3, or where the plan gives it one window alone, it is
// the screen above that window.
func (p *Pages) screen(w http.ResponseWriter, r *http.Request) {
	s, ok := find(p, w, r, p.opts.Plan.Screens, func(s config.Screen) string { return s.ID })
	if !ok {
		return
	}
	id := r.URL.Query().Get("window")
	if id == "" && len(s.Windows) == 1 {
		id = s.Windows[0]
	}
	if id == "" {
		p.show(w, r, "screen-"+s.ID, shell{Name: "screen", Title: s.Name, Place: s.Name}, map[string]any{"notice": s.Notice})
		return
	}
	i := slices.IndexFunc(p.opts.Plan.Windows, func(w config.Window) bool { return w.ID == id })
	if i < 0 || len(s.Windows) > 0 && !slices.Contains(s.Windows, id) {
		p.missing(w, r, http.StatusNotFound)
		return
	}
	name := p.opts.Plan.Windows[i].Name
	p.show(w, r, "screen-"+s.ID, shell{Name: "single", Title: name, Place: name}, map[string]any{"notice": s.Notice, "window": id})
}

// rate is the page of a rating tablet at a window, or, by the token of a slip, of the citizen's own phone.
func (p *Pages) rate(w http.ResponseWriter, r *http.Request) {
	if id, ok := p.opts.Signer.Verify(r.PathValue("id")); ok {
		p.show(w, r, "", shell{Name: "rate", Title: "服务评价", Open: true}, map[string]any{
			"token": r.PathValue("id"), "ticket": id,
		})
		return
	}
	win, ok := find(p, w, r, p.opts.Plan.Windows, func(w config.Window) string { return w.ID })
	if !ok {
		return
	}
	p.show(w, r, "rate-"+win.ID, shell{Name: "rate", Title: "服务评价", Place: win.Name}, map[string]any{
		"window": win.ID, "name": win.Name,
	})
}

func (p *Pages) desk(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, "desk", shell{Name: "desk", Title: "导办台", Staffed: true}, map[string]any{
		"queues": p.queues(nil), "kiosks": p.kiosks(),
	})
}

func (p *Pages) board(w http.ResponseWriter, r *http.Request) {
	setup := map[string]any{}
	if who, err := p.opts.Door.AtPage(r, "board"); err == nil && who.Role != access.Locked { // names of staff are not for the sign-in form
		setup["staff"], setup["limits"], setup["directs"] = staffNames(p.opts.Plan), p.limitsOf(), who.May(access.Direct)
	}
	p.show(w, r, "board", shell{Name: "board", Title: "大厅总览", Staffed: true}, setup)
}

// plan is the part of the board that changes the hall's settings.
func (p *Pages) plan(w http.ResponseWriter, r *http.Request) {
	p.direct(w, r, shell{Name: "plan", Title: "设置"}, func(access.Who) map[string]any {
		cards := []string{}
		for _, s := range p.opts.Plan.Staff {
			if s.Card != "" {
				cards = append(cards, s.ID)
			}
		}
		return map[string]any{"staff": staffNames(p.opts.Plan), "readers": p.readers(), "carded": cards}
	})
}

// rerun is the part of the board that plays a day again.
func (p *Pages) rerun(w http.ResponseWriter, r *http.Request) {
	p.direct(w, r, shell{Name: "rerun", Title: "回放"}, func(access.Who) map[string]any { return map[string]any{"queues": p.queues(nil)} })
}

// direct shows a part of the board that is for those alone who may set the hall's rules.
func (p *Pages) direct(w http.ResponseWriter, r *http.Request, s shell, setup func(access.Who) map[string]any) {
	who, err := p.opts.Door.AtPage(r, "board")
	if err == nil && who.Role != access.Locked && !who.May(access.Direct) {
		http.Redirect(w, r, "/board", http.StatusSeeOther)
		return
	}
	s.Staffed = true
	inside := map[string]any{}
	if err == nil && who.Role != access.Locked { // names of staff are not for the sign-in form
		inside = setup(who)
	}
	p.show(w, r, "board", s, inside)
}

// staffNames gives the names of the hall's people by their id.
func staffNames(plan *config.Plan) map[string]string {
	out := map[string]string{}
	for _, s := range plan.Staff {
		out[s.ID] = s.Name
	}
	return out
}

func (p *Pages) ops(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, "ops", shell{Name: "ops", Title: "运行维护", Staffed: true}, map[string]any{"hall": p.opts.Site.Hall.Code})
}

// ticket is a citizen's own ticket. Its token is the only key, and it opens nothing else.
func (p *Pages) ticket(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	id, ok := p.opts.Signer.Verify(token)
	if !ok {
		text, _ := p.opts.Catalog.Text("unknown_ticket", nil)
		p.render(w, http.StatusNotFound, shell{Name: "lost", Style: "plain", Title: text.Title, Hall: p.opts.Site.Hall.Name})
		return
	}
	p.show(w, r, "", shell{Name: "ticket", Title: "我的号", Open: true}, map[string]any{"token": token, "ticket": id})
}

// linkGroup is a line of the portal.
type linkGroup struct {
	Name  string
	Links []link
}

type link struct{ Href, Text string }

// portal lists the hall's pages, for whoever sets up its machines.
func (p *Pages) portal(w http.ResponseWriter, _ *http.Request) {
	kiosks, screens := linkGroup{Name: "自助取号机"}, linkGroup{Name: "叫号大屏"}
	windows, rates := linkGroup{Name: "窗口"}, linkGroup{Name: "窗口评价"}
	for _, k := range p.opts.Plan.Kiosks {
		kiosks.Links = append(kiosks.Links, link{"/kiosk/" + k.ID, k.Name})
	}
	for _, s := range p.opts.Plan.Screens {
		screens.Links = append(screens.Links, link{"/screen/" + s.ID, s.Name})
	}
	for _, win := range p.opts.Plan.Windows {
		windows.Links = append(windows.Links, link{"/window/" + win.ID, win.Name})
		rates.Links = append(rates.Links, link{"/rate/" + win.ID, win.Name})
	}
	staff := linkGroup{"管理", []link{{"/desk", "导办台"}, {"/board", "大厅总览"}, {"/ops", "运行维护"}}}
	if p.opts.Trust != nil {
		staff.Links = append(staff.Links, link{trustPath, "安装根证书"})
	}
	p.render(w, http.StatusOK, shell{
		Name: "portal", Style: "plain", Title: "大厅页面", Hall: p.opts.Site.Hall.Name, Groups: []linkGroup{kiosks, windows, screens, rates, staff},
	})
}

// readers lists the places where a card of the staff can be enrolled.
func (p *Pages) readers() []named {
	out := []named{}
	for _, at := range p.opts.Door.Readers() {
		kind, id, _ := strings.Cut(at, "-")
		name := "导办台"
		switch kind {
		case "kiosk":
			name = nameOf(p.kiosks(), id)
		case "window":
			name = nameOf(p.windows(), id)
		}
		out = append(out, named{at, name})
	}
	return out
}

func nameOf(list []named, id string) string {
	for _, n := range list {
		if n.ID == id {
			return n.Name
		}
	}
	return id
}
