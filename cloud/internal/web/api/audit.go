package api

import (
	"context"
	"encoding/csv"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

var auditActions = []string{
	store.ActionSignIn, store.ActionSignOut, store.ActionWatch, store.ActionUserAdd, store.ActionUserDisable, store.ActionUserEnable,
	store.ActionUserName, store.ActionUserRoles, store.ActionUserScope, store.ActionPassword, store.ActionFactor, store.ActionFactorReset,
	store.ActionRecovery, store.ActionCertify, store.ActionDecertify, store.ActionInvite, store.ActionLink, store.ActionUnlink,
	store.ActionAuditExport, store.ActionEnrolCode, store.ActionEnrol, store.ActionRevoke, store.ActionRenewAsk, store.ActionApprove, store.ActionRenew,
	store.ActionQuarantine, store.ActionRelease, store.ActionImport,
	store.ActionPersonFind, store.ActionPersonExport, store.ActionPersonErase, store.ActionKeysDestroy, store.ActionVaultRotate, store.ActionChainKnown,
	store.ActionNoticePublish, store.ActionNoticeWithdraw, store.ActionBackup, store.ActionRestore,
}

func (a *API) auditRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/api/v1/audit", name: "listAudit", summary: "审计记录，新的在前；只有审计员可以看", answer: Page[AuditLine]{},
			refusals: []int{http.StatusBadRequest}, may: rights.Audit,
			query: paged(
				param{name: "user", about: "账号、通行证名称或代号"}, param{name: "action", about: "做了什么", values: auditActions},
				param{name: "from", about: "从什么时候起：带时区的时间，或者日期（当天 0 点）"},
				param{name: "to", about: "到什么时候止：带时区的时间（不含），或者日期（含当天）"}),
			handle: a.listAudit},
		{method: http.MethodGet, path: "/api/v1/audit/export", name: "exportAudit", summary: "审计记录导出为表格（CSV，UTF-8），新的在前，最多 5 万行，多了不导出，请缩小时间范围；导出本身也记入审计",
			answer: "", media: mediaTable, refusals: []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, may: rights.Audit,
			query: []param{
				{name: "user", about: "账号、通行证名称或代号"}, {name: "action", about: "做了什么", values: auditActions},
				{name: "from", about: "从什么时候起：带时区的时间，或者日期（当天 0 点）"},
				{name: "to", about: "到什么时候止：带时区的时间（不含），或者日期（含当天）"}},
			handle: a.exportAudit},
	}
}

// auditQuery reads which lines are wanted, of those that somebody may see.
func (a *API) auditQuery(c *call, q *query) (store.AuditQuery, error) {
	want := store.AuditQuery{
		Actor: q.text("user", nil), Action: q.text("action", auditActions), From: q.moment("from", 0), To: q.moment("to", 1),
	}
	if c.who.Scope.Whole() {
		return want, nil
	}
	users, err := a.Desk.Users(c.r.Context(), c.who.Scope)
	if err != nil {
		return want, err
	}
	want.Within = &store.AuditScope{Prefixes: c.who.Scope}
	for _, u := range users {
		want.Within.Users = append(want.Within.Users, u.Name)
	}
	return want, nil
}

// auditExportLimit is how many lines one table has at most. There is none of more lines: nobody would see that it is not all.
const auditExportLimit = 50_000

const codeAuditMany problem.Code = "audit_too_many" // lines, limit

// exportAudit gives the lines as a table. Who took it away stands in the audit itself, before the table leaves.
func (a *API) exportAudit(c *call) error {
	q := a.query(c)
	want, err := a.auditQuery(c, q)
	if q.bad != nil {
		return q.bad
	}
	if err != nil {
		return err
	}
	want.Limit = auditExportLimit
	rows, total, err := a.Store.Audits(c.r.Context(), want)
	if err != nil {
		return err
	}
	if total > auditExportLimit {
		return a.problem(http.StatusUnprocessableEntity, codeAuditMany, "lines", strconv.Itoa(total), "limit", strconv.Itoa(auditExportLimit))
	}
	host, _, _ := net.SplitHostPort(c.r.RemoteAddr)
	note := store.Audit{Action: store.ActionAuditExport, Subject: filters(want), Result: "ok", Remote: host}
	if err := a.Desk.Note(context.WithoutCancel(c.r.Context()), c.who, note); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", mediaTable+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="audit.csv"`)
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(c.w, "\ufeff") // or Excel takes it for GBK
	table := csv.NewWriter(c.w)
	_ = table.Write([]string{"id", "at", "user", "name", "by", "action", "subject", "result", "remote"})
	for _, l := range rows {
		_ = table.Write([]string{
			strconv.FormatInt(l.ID, 10), a.local(l.At).Format(time.RFC3339), cell(l.Actor), cell(l.Name), cell(l.By), cell(l.Action), cell(l.Subject), cell(l.Result),
			cell(l.Remote),
		})
	}
	table.Flush() // a client that has gone cannot be told
	return nil
}

// filters says which lines were taken away, by the filters that were understood alone: an address may say anything besides.
func filters(want store.AuditQuery) string {
	said := url.Values{}
	for name, value := range map[string]string{"user": want.Actor, "action": want.Action} {
		if value != "" {
			said.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": want.From, "to": want.To} {
		if !at.IsZero() {
			said.Set(name, at.Format(time.RFC3339))
		}
	}
	return said.Encode()
}

// cell gives a text that no table program takes for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (a *API) listAudit(c *call) error {
	q := a.query(c)
	want, err := a.auditQuery(c, q)
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	if err != nil {
		return err
	}
	want.Limit, want.Offset = w.size, w.offset
	rows, total, err := a.Store.Audits(c.r.Context(), want)
	if err != nil {
		return err
	}
	page := Page[AuditLine]{Items: []AuditLine{}, Total: total}
	for _, l := range rows {
		page.Items = append(page.Items, AuditLine{
			ID: l.ID, At: a.local(l.At), User: l.Actor, Name: l.Name, By: l.By, Action: l.Action, Subject: l.Subject, Result: l.Result, Remote: l.Remote,
		})
	}
	return a.write(c, http.StatusOK, page)
}

// moment reads a time, or a date: its beginning in the zone of the answers, so many days later. The zero time means none.
func (q *query) moment(name string, days int) time.Time {
	text := q.text(name, nil)
	if text == "" {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	day, err := time.ParseInLocation(time.DateOnly, text, q.a.Zone)
	if err != nil {
		q.refuse(name)
	}
	return day.AddDate(0, 0, days)
}
