package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

// What a browser publishes at once is less than a bundle may be: it comes as one body.
const (
	maxNotice      = 24 << 20 // bytes of the body, pictures of 16 MiB in base64 among them
	maxNoticeItems = 12
	noticeTime     = 2 * time.Minute // to come: 24 MiB at 2 Mbit/s
	maxPublishing  = 4               // at once
)

// The codes of what is not published.
const (
	codeNoticeHalls  problem.Code = "notice_no_halls"
	codeNoticeGroup  problem.Code = "notice_group"   // value
	codeNoticePeriod problem.Code = "notice_period"  // days
	codeNoticeItems  problem.Code = "notice_items"   // limit
	codeNoticeItem   problem.Code = "notice_item"    // item
	codeNoticeGroups problem.Code = "notice_groups"  // limit
	codeNoticeGone   problem.Code = "notice_unknown" // hall, group
)

func (a *API) noticeRoutes() []route {
	refusals := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
	}
	var states []string
	for _, s := range notices.States() {
		states = append(states, string(s))
	}
	return []route{
		{method: http.MethodGet, path: "/api/v1/notices", name: "listNotices", summary: "各大厅各组屏幕的公告，按大厅编码和屏幕组排序", answer: Page[Notice]{},
			refusals: []int{http.StatusBadRequest}, may: rights.Halls,
			query: paged(
				param{name: "hall", about: "大厅编码"}, param{name: "group", about: "屏幕组"}, param{name: "state", about: "在大厅的情况", values: states},
				param{name: "q", about: "大厅编码、名称或公告标题的一部分"}),
			handle: a.listNotices},
		{method: http.MethodGet, path: "/api/v1/notices/groups", name: "listNoticeGroups", summary: "大厅有哪些屏幕组", answer: NoticeGroups{}, may: rights.Halls,
			handle: a.listNoticeGroups},
		{method: http.MethodGet, path: "/api/v1/notices/{hall}/{group}", name: "getNotice", summary: "一个大厅一组屏幕的公告和内容", answer: NoticeDetail{},
			refusals: []int{http.StatusNotFound}, may: rights.Halls, handle: a.getNotice},
		{method: http.MethodGet, path: "/api/v1/notices/{hall}/{group}/{version}/{path}", name: "getNoticeItem", summary: "公告里的一张图片", answer: "",
			media: string(bundle.PNG), refusals: []int{http.StatusNotFound}, may: rights.Halls, handle: a.getNoticeItem},
		{method: http.MethodPost, path: "/api/v1/notices", name: "publishNotice", summary: "发布公告：签名，换掉这些大厅这组屏幕原来的公告", body: NewNotice{},
			answer: NoticePublished{}, status: http.StatusCreated, refusals: refusals, limit: maxNotice, may: rights.Notices, handle: a.postNotice},
		{method: http.MethodPost, path: "/api/v1/notices/withdrawals", name: "withdrawNotice", summary: "撤回公告", body: NoticeWithdrawal{},
			answer: NoticeWithdrawn{}, refusals: refusals, may: rights.Notices, handle: a.postNoticeWithdrawal},
	}
}

func (a *API) listNotices(c *call) error {
	q := a.query(c)
	hall, group, part := q.text("hall", nil), q.text("group", nil), strings.ToLower(q.text("q", nil))
	state := q.text("state", nil)
	w := q.page()
	if state != "" && !slices.Contains(notices.States(), notices.State(state)) {
		q.refuse("state")
	}
	if q.bad != nil {
		return q.bad
	}
	all, err := a.Notices.List(c.r.Context())
	if err != nil {
		return err
	}
	var found []Notice
	for _, p := range all {
		s, known := a.board(c).Get(p.Hall)
		if !known || hall != "" && string(p.Hall) != hall || group != "" && p.Group != group {
			continue
		}
		n, _, err := a.notice(s, p)
		if err != nil {
			return err
		}
		text := strings.ToLower(string(s.ID) + "\n" + s.Name + "\n" + n.Heading)
		if strings.Contains(text, part) && (state == "" || n.State == state) {
			found = append(found, n)
		}
	}
	return a.write(c, http.StatusOK, cut(found, w))
}

// notice joins what was published with what the hall reports.
func (a *API) notice(s halls.Status, p notices.Published) (n Notice, m bundle.Manifest, err error) {
	if m, err = p.Read(); err != nil {
		return n, m, err
	}
	n = Notice{
		Hall: s.ID, HallName: s.Name, HallState: HallState(s.State), Group: p.Group, Version: p.Version, Heading: p.Heading, Items: len(m.Items),
		From: a.local(m.From), Until: a.local(m.Until), PublishedAt: a.local(p.At), Actor: p.Actor, State: string(p.Standing(m, s.Report, time.Now())),
	}
	if !p.Withdrawn.IsZero() {
		n.WithdrawnAt = a.when(p.Withdrawn)
	}
	if is, said := notices.At(s.Report, p.Group); said {
		n.Screens, n.Shows = &is.Screens, &is.Shows
	}
	return n, m, nil
}

func (a *API) listNoticeGroups(c *call) error {
	answer := NoticeGroups{Groups: []NoticeGroup{}, Said: []hallsync.HallID{}}
	for _, s := range a.board(c).All() {
		if s.Report == nil || s.Report.Notices == nil {
			continue
		}
		answer.Said = append(answer.Said, s.ID)
		for _, is := range s.Report.Notices {
			if is.Screens == 0 || !bundle.ValidGroup(is.Group) {
				continue
			}
			i := slices.IndexFunc(answer.Groups, func(g NoticeGroup) bool { return g.Group == is.Group })
			if i < 0 {
				i = len(answer.Groups)
				answer.Groups = append(answer.Groups, NoticeGroup{Group: is.Group})
			}
			g := &answer.Groups[i]
			g.Screens, g.Halls = g.Screens+is.Screens, append(g.Halls, s.ID)
		}
	}
	slices.SortFunc(answer.Groups, func(x, y NoticeGroup) int { return strings.Compare(x.Group, y.Group) })
	return a.write(c, http.StatusOK, answer)
}

// published finds what was published for the group of screens that a path names.
func (a *API) published(c *call) (s halls.Status, p notices.Published, err error) {
	hall, group := c.r.PathValue("hall"), c.r.PathValue("group")
	s, known := a.board(c).Get(hallsync.HallID(hall))
	if !known {
		return s, p, a.problem(http.StatusNotFound, codeHallUnknown, "hall", hall)
	}
	p, found, err := a.Notices.Find(c.r.Context(), s.ID, group)
	if err == nil && !found {
		err = a.problem(http.StatusNotFound, codeNoticeGone, "hall", hall, "group", group)
	}
	return s, p, err
}

func (a *API) getNotice(c *call) error {
	s, p, err := a.published(c)
	if err != nil {
		return err
	}
	n, m, err := a.notice(s, p)
	if err != nil {
		return err
	}
	d := NoticeDetail{Notice: n, Content: []NoticeItem{}}
	for _, i := range m.Items {
		data, _, found, err := a.Notices.Item(c.r.Context(), m, i.Path)
		if err != nil {
			return err
		}
		if !found { // withdrawn
			continue
		}
		item := NoticeItem{Path: i.Path, Type: string(i.Type), Size: i.Size, SM3: i.SM3.String()}
		if i.Type == bundle.Text {
			item.Text = string(data)
		}
		d.Content = append(d.Content, item)
	}
	return a.write(c, http.StatusOK, d)
}

func (a *API) getNoticeItem(c *call) error {
	_, p, err := a.published(c)
	if err != nil {
		return err
	}
	m, err := p.Read()
	if err != nil {
		return err
	}
	data, item, found, err := a.Notices.Item(c.r.Context(), m, c.r.PathValue("path"))
	if err != nil {
		return err
	}
	if !found || strconv.FormatInt(p.Version, 10) != c.r.PathValue("version") {
		return a.problem(http.StatusNotFound, codeNoticeGone, "hall", string(p.Hall), "group", p.Group)
	}
	c.w.Header().Set("Content-Type", string(item.Type))
	_, _ = c.w.Write(data) // a client that has gone cannot be told
	return nil
}

// postNotice publishes as hall-cloud notice publish does.
func (a *API) postNotice(c *call) error {
	select {
	case a.publishing <- struct{}{}:
		defer func() { <-a.publishing }()
	case <-c.r.Context().Done():
		return c.r.Context().Err()
	}
	until := time.Now().Add(noticeTime)
	lasting := http.NewResponseController(c.w)
	_ = errors.Join(lasting.SetReadDeadline(until), lasting.SetWriteDeadline(until.Add(noticeTime))) // a recorder in a test has none
	var in NewNotice
	if err := a.read(c, &in); err != nil {
		return err
	}
	o, err := a.noticeOrder(c, in)
	if err != nil {
		return err
	}
	if err := a.Notices.Publish(context.WithoutCancel(c.r.Context()), o, a.noticeActor(c)); err != nil {
		return a.noticeRefused(err)
	}
	answer := NoticePublished{Halls: len(o.Halls), NoScreen: []hallsync.HallID{}}
	for _, hall := range o.Halls {
		s, _ := a.board(c).Get(hall)
		if is, said := notices.At(s.Report, o.Group); said && is.Screens == 0 {
			answer.NoScreen = append(answer.NoScreen, hall)
		}
	}
	return a.write(c, http.StatusCreated, answer)
}

func (a *API) noticeActor(c *call) notices.Actor {
	return notices.Actor{Name: c.who.User, By: c.who.By, From: remote(c.r)}
}

// noticeOrder checks what somebody wants published.
func (a *API) noticeOrder(c *call, in NewNotice) (o notices.Order, err error) {
	refuse := func(code problem.Code, args ...string) error {
		return a.problem(http.StatusUnprocessableEntity, code, args...)
	}
	now := time.Now()
	o = notices.Order{Group: in.Group, From: now, Until: in.Until}
	if in.From != nil {
		o.From = *in.From
	}
	if o.Halls, err = a.noticeHalls(c, in.Halls, in.Group); err != nil {
		return o, err
	}
	if life := o.Until.Sub(o.From); !o.Until.After(now) || life <= 0 || life > bundle.MaxLife {
		return o, refuse(codeNoticePeriod, "days", strconv.Itoa(int(bundle.MaxLife/(24*time.Hour))))
	}
	if n := len(in.Items); n < 1 || n > maxNoticeItems {
		return o, refuse(codeNoticeItems, "limit", strconv.Itoa(maxNoticeItems))
	}
	for n, i := range in.Items {
		f, ok := i.file(n)
		if !ok {
			return o, refuse(codeNoticeItem, "item", fmt.Sprintf("第 %d 项", n+1))
		}
		o.Files = append(o.Files, f)
	}
	return o, nil
}

// file makes the file of an item, which has either a heading or a picture.
func (i NewNoticeItem) file(n int) (notices.File, bool) {
	title := strings.TrimSpace(i.Title)
	switch {
	case title != "" && !strings.ContainsAny(title, "\r\n") && i.Name == "" && i.Data == nil:
		return notices.File{Name: fmt.Sprintf("第 %d 项.txt", n+1), Data: []byte(strings.TrimSpace(title + "\n" + i.Text))}, true
	case title == "" && i.Text == "" && i.Name != "" && len(i.Data) > 0:
		return notices.File{Name: i.Name, Data: i.Data}, true
	}
	return notices.File{}, false
}

// noticeHalls checks that halls are known to who asks, each named once.
func (a *API) noticeHalls(c *call, ids []hallsync.HallID, group string) (list []hallsync.HallID, err error) {
	if !bundle.ValidGroup(group) {
		return nil, a.problem(http.StatusUnprocessableEntity, codeNoticeGroup, "value", group)
	}
	for _, id := range ids {
		if _, known := a.board(c).Get(id); !known {
			return nil, a.problem(http.StatusNotFound, codeHallUnknown, "hall", string(id))
		}
	}
	list = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(list) == 0 {
		return nil, a.problem(http.StatusUnprocessableEntity, codeNoticeHalls)
	}
	return list, nil
}

// noticeRefused tells why a notice was not published.
func (a *API) noticeRefused(err error) error {
	var bad *bundle.Error
	if !errors.As(err, &bad) {
		return err
	}
	refuse := func(code problem.Code, args ...string) error {
		return a.problem(http.StatusUnprocessableEntity, code, args...)
	}
	switch bad.Code {
	case bundle.CodeContent:
		return refuse(codeNoticeItem, "item", bad.Item)
	case bundle.CodeExpired:
		return refuse(codeNoticePeriod, "days", strconv.Itoa(int(bundle.MaxLife/(24*time.Hour))))
	}
	return refuse(codeNoticeGroups, "limit", strconv.Itoa(bundle.MaxGroups))
}

func (a *API) postNoticeWithdrawal(c *call) error {
	var in NoticeWithdrawal
	if err := a.read(c, &in); err != nil {
		return err
	}
	list, err := a.noticeHalls(c, in.Halls, in.Group)
	if err != nil {
		return err
	}
	ended, err := a.Notices.Withdraw(context.WithoutCancel(c.r.Context()), list, in.Group, a.noticeActor(c))
	if err != nil {
		return err
	}
	return a.write(c, http.StatusOK, NoticeWithdrawn{Halls: append([]hallsync.HallID{}, ended...)})
}
