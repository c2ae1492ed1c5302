package agent

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/notices"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// openNotices opens what screens show while nobody is called. The keys that it is signed with stand in agent.yaml, or are the centre's own.
func (a *Agent) openNotices() error {
	site := &a.cfg.Site
	log := a.log.With("part", "notices")
	var err error
	a.notices, err = notices.Open(notices.Options{
		Dir: filepath.Join(site.Data, notices.Directory), Hall: hallsync.HallID(site.Hall.Code), Keys: a.noticeKeys, Now: a.identity.Now,
		Gate: a.orders, Fetch: a.fetchNotices, Log: log,
	})
	return err
}

func (a *Agent) noticeKeys() (keys []gm.PublicKey) {
	for _, k := range a.cfg.Site.Notices.Keys {
		keys = append(keys, k.PublicKey)
	}
	if keys == nil {
		return a.identity.Receipts()
	}
	return keys
}

// fetchNotices asks the centre for a bundle, as the box that it is. It goes where the centre's certificates are and nowhere else.
func (a *Agent) fetchNotices(ctx context.Context, id string) (io.ReadCloser, error) {
	centre, err := url.Parse(cmp.Or(a.cfg.Site.Cloud.HTTPS, a.identity.Addresses().HTTPS))
	if err != nil {
		return nil, fmt.Errorf("fetch notices: %w", err)
	}
	by, known := map[string]identity.Transport{"https": identity.TLS, "tlcp": identity.TLCP}[centre.Scheme]
	if !known {
		return nil, fmt.Errorf("fetch notices: no address of the centre")
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return a.identity.Dial(ctx, by, net.JoinHostPort(centre.Hostname(), cmp.Or(centre.Port(), "443")))
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The connection is secured where it is opened: to the client it is one like any other.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+centre.Host+"/edge/v1/bundles/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, fmt.Errorf("fetch notices: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch notices: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close() // nothing of it is read
		return nil, fmt.Errorf("fetch notices: the centre answered %d", res.StatusCode)
	}
	return res.Body, nil
}

// noticeStatus says what the hall's groups of screens show, also groups that a bundle is for and no screen has.
func (a *Agent) noticeStatus() []hallsync.NoticeStatus {
	list := []hallsync.NoticeStatus{}
	at := func(group string) *hallsync.NoticeStatus {
		i := slices.IndexFunc(list, func(s hallsync.NoticeStatus) bool { return s.Group == group })
		if i < 0 {
			i = len(list)
			list = append(list, hallsync.NoticeStatus{Group: group})
		}
		return &list[i]
	}
	troubles := a.notices.Troubles()
	for _, s := range a.plan.Load().Screens {
		group := at(s.NoticeGroup())
		group.Screens++
		if i := slices.IndexFunc(troubles, func(t notices.Trouble) bool { return t.Subject == "screen-"+s.ID }); i >= 0 {
			group.Code = string(troubles[i].Kind)
		}
	}
	standings := a.notices.Standings()
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		is, group := standings[name], at(name)
		group.Shows, group.Latest, group.Code = is.Shows, is.Latest, cmp.Or(string(is.Kind), group.Code)
	}
	return list
}
