package api_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"
)

// A hall whose new logs are not taken any more is told of in Chinese, with what is to be done.
func TestTooManyEpochsStandInTheList(t *testing.T) {
	f := begin(t)
	follower := f.board.In(rights.Whole()).Follow()
	defer follower.Close()
	for n := range store.EpochsADay {
		_, err := f.in.Hello(t.Context(), hallsync.Hello{Hall: hallB, Epoch: strconv.Itoa(n), First: 1, Next: 1})
		must(t, err)
	}
	for told := false; !told; {
		select {
		case <-follower.Signal():
		case <-time.After(20 * time.Second):
			t.Fatal("the board does not tell")
		}
		for _, c := range follower.Take() {
			told = told || c.Status.ID == hallB && c.Status.Restless
		}
	}
	var page api.Page[api.Hall]
	f.do(http.MethodGet, "/api/v1/halls?severity=error", "").into(t, &page)
	for _, h := range page.Items {
		if h.ID == hallB && h.Finding != nil && h.Finding.Code == ingest.EpochsTooMany && h.Finding.Title != "" && h.Finding.Title != h.Finding.Code {
			return
		}
	}
	t.Errorf("%+v", page.Items)
}
