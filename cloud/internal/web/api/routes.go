package api

import (
	"net/http"

	"halledge/cloud/internal/rights"
)

// route is one entry of the API: what is mounted, and what openapi.json says of it.
type route struct {
	method, path string
	name         string // operationId
	summary      string // Chinese, one line
	query        []param
	body         any // zero value of what is sent; nil: nothing
	answer       any // zero value of what comes back; nil: nothing
	media        string
	status       int
	limit        int64 // bytes of what is sent; 0: maxBody
	refusals     []int // beside 401, 403 and 500
	public       bool
	self         bool         // for everybody who is signed in, whatever he has to do first
	may          rights.Right // for those who have one of them
	handle       func(*call) error
}

// param is a query parameter. Values lists what it may be; nil means anything of the type.
type param struct {
	name     string
	about    string
	integer  bool
	required bool
	values   []string
}

const (
	mediaJSON   = "application/json"
	mediaStream = "text/event-stream"
	mediaTable  = "text/csv"
)

func (a *API) routes() []route {
	routes := []route{
		{method: http.MethodGet, path: "/api/v1/openapi.json", name: "describe", summary: "本接口的说明", public: true, answer: map[string]any{}, handle: a.getOpenAPI},
		{method: http.MethodPost, path: "/api/v1/session", name: "signIn", summary: "登录", public: true, body: SignIn{}, answer: Session{}, status: http.StatusCreated,
			refusals: []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests,
				http.StatusServiceUnavailable}, handle: a.postSession},
		{method: http.MethodGet, path: "/api/v1/session", name: "whoAmI", summary: "谁登录了", answer: Session{}, self: true, handle: a.getSession},
		{method: http.MethodDelete, path: "/api/v1/session", name: "signOut", summary: "退出登录", status: http.StatusNoContent, self: true, handle: a.deleteSession},
		{method: http.MethodGet, path: "/api/v1/halls", name: "listHalls", summary: "大厅列表，按编码排序", answer: Page[Hall]{}, refusals: []int{http.StatusBadRequest},
			may: rights.Halls,
			query: paged(
				param{name: "q", about: "编码、名称或地区的一部分"},
				param{name: "state", about: "在线状态", values: []string{"online", "stale", "offline", "never"}},
				param{name: "severity", about: "最重的运行状况", values: []string{"info", "warning", "error"}}),
			handle: a.listHalls},
		{method: http.MethodGet, path: "/api/v1/halls/{id}", name: "getHall", summary: "一个大厅的全部情况", answer: HallDetail{}, refusals: []int{http.StatusNotFound}, may: rights.Halls, handle: a.getHall},
		{method: http.MethodGet, path: "/api/v1/tickets", name: "listTickets", summary: "一个大厅的号，新的在前", answer: Page[Ticket]{},
			refusals: []int{http.StatusBadRequest, http.StatusNotFound}, may: rights.Day,
			query: paged(
				param{name: "hall", about: "大厅编码", required: true}, param{name: "day", about: "业务日，例如 2026-11-23"},
				param{name: "state", about: "号的状态", values: ticketStates}, param{name: "queue", about: "队列"},
				param{name: "window", about: "窗口"}, param{name: "number", about: "号码，例如 A023"}),
			handle: a.listTickets},
		{method: http.MethodGet, path: "/api/v1/facts", name: "listFacts", summary: "一个大厅的事实，按序号排列；下一页从本页最后一个序号之后取",
			answer: Page[Fact]{}, refusals: []int{http.StatusBadRequest, http.StatusNotFound}, may: rights.Day,
			query: []param{
				{name: "hall", about: "大厅编码", required: true}, {name: "epoch", about: "纪元；不写就是现行的"},
				{name: "after", about: "只要这个序号之后的，默认 0", integer: true}, {name: "kind", about: "事实的种类，例如 ticket.taken"}, sizeParam},
			handle: a.listFacts},
		{method: http.MethodGet, path: "/api/v1/cameras", name: "listCameras", summary: "摄像头列表，按编码排序", answer: Page[Camera]{},
			refusals: []int{http.StatusBadRequest}, may: rights.Cameras,
			query: paged(
				param{name: "hall", about: "大厅编码"}, param{name: "state", about: "大厅报告的状态"},
				param{name: "live", about: "画面现在是否到达本节点", values: []string{"true", "false"}}, param{name: "q", about: "编码或名称的一部分"}),
			handle: a.listCameras},
		{method: http.MethodGet, path: "/api/v1/stream", name: "stream",
			summary: "变化的推送：先 ready（Ready），再 change（Change）；登录失效时最后一条是 ended（Ended）", answer: Change{},
			media: mediaStream, refusals: []int{http.StatusServiceUnavailable}, may: rights.Halls, handle: a.getStream},
	}
	routes = append(routes, a.auditRoutes()...)
	routes = append(routes, a.unifiedRoutes()...)
	routes = append(routes, a.accountRoutes()...)
	routes = append(routes, a.userRoutes()...)
	routes = append(routes, a.noticeRoutes()...)
	for i := range routes {
		rt := &routes[i]
		if rt.status == 0 {
			rt.status = http.StatusOK
		}
		if rt.media == "" {
			rt.media = mediaJSON
		}
	}
	return routes
}

func (a *API) getOpenAPI(c *call) error {
	c.w.Header().Set("Content-Type", mediaJSON)
	_, _ = c.w.Write(a.doc) // a client that has gone cannot be told
	return nil
}
