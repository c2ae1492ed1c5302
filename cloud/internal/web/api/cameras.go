package api

import (
	"net/http"
	"slices"
	"strings"

	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

func (a *API) listCameras(c *call) error {
	q := a.query(c)
	hall := q.text("hall", nil)
	state := q.text("state", nil)
	live := q.text("live", []string{"true", "false"})
	part := strings.ToLower(q.text("q", nil))
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	var found []Camera
	for _, s := range a.board(c).All() {
		if hall != "" && string(s.ID) != hall {
			continue
		}
		for _, cam := range a.camerasOf(s) {
			text := strings.ToLower(cam.Code + "\n" + cam.Name)
			if (state == "" || cam.State == state) && (live == "" || cam.Live == (live == "true")) && strings.Contains(text, part) {
				found = append(found, cam)
			}
		}
	}
	page := cut(found, w)
	a.watchable(c, page.Items)
	return a.write(c, http.StatusOK, page)
}

// watchable tells only those who may look at cameras where.
func (a *API) watchable(c *call, list []Camera) {
	if c.who.May(rights.Watch) {
		return
	}
	for i := range list {
		list[i].Whep = ""
	}
}

// camerasOf joins the cameras the configuration names with what the hall reports of them. A camera that only the hall knows is
// not shown: the node takes no pictures of it.
func (a *API) camerasOf(s halls.Status) []Camera {
	list := []Camera{}
	from, _ := slices.BinarySearchFunc(a.Cameras, string(s.ID), func(c KnownCamera, id string) int { return strings.Compare(string(c.Hall.ID), id) })
	for _, known := range a.Cameras[from:] {
		if known.Hall.ID != s.ID {
			break
		}
		live := a.Live(known.Code)
		cam := Camera{
			Code: known.Code, Hall: s.ID, Name: known.Name, Scene: known.Scene, Live: live.Arriving, Viewers: live.Viewers,
			Whep: "/whep/" + known.Code,
		}
		if r := reported(s, known.Code); r != nil {
			cam.State, cam.Reason, cam.Codec, cam.BitsPS, cam.Since = r.State, r.Reason, r.Codec, r.BitsPS, a.when(r.Since)
		}
		list = append(list, cam)
	}
	return list
}

func reported(s halls.Status, code string) *hallsync.CameraStatus {
	if s.Report == nil {
		return nil
	}
	for i := range s.Report.Cameras {
		if s.Report.Cameras[i].Code == code {
			return &s.Report.Cameras[i]
		}
	}
	return nil
}
