package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientBehindProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	for name, c := range map[string]struct {
		remote string
		named  []string
		want   string
	}{
		"nobody in between":           {"192.0.2.7:4711", nil, "192.0.2.7:4711"},
		"a stranger who makes it up":  {"192.0.2.7:4711", []string{"198.51.100.1"}, "192.0.2.7:4711"},
		"a proxy":                     {"10.1.2.3:80", []string{"192.0.2.7"}, "192.0.2.7:0"},
		"a proxy that says nothing":   {"10.1.2.3:80", nil, "10.1.2.3:80"},
		"nonsense":                    {"10.1.2.3:80", []string{"unknown"}, "10.1.2.3:80"},
		"what a client made up":       {"10.1.2.3:80", []string{"127.0.0.1, 192.0.2.7"}, "192.0.2.7:0"},
		"two proxies":                 {"10.1.2.3:80", []string{"1.1.1.1, 192.0.2.7, 10.9.9.9"}, "192.0.2.7:0"},
		"two lines":                   {"10.1.2.3:80", []string{"192.0.2.7", "10.9.9.9"}, "192.0.2.7:0"},
		"nonsense behind a proxy":     {"10.1.2.3:80", []string{"x, 10.9.9.9"}, "10.9.9.9:0"},
		"with a port":                 {"10.1.2.3:80", []string{"192.0.2.7:5000"}, "192.0.2.7:0"},
		"IPv6":                        {"[2001:db8::1]:80", []string{"[2001:db8::7]:5000"}, "[2001:db8::7]:0"},
		"IPv4 as IPv6":                {"[::ffff:10.1.2.3]:80", []string{"::ffff:192.0.2.7"}, "192.0.2.7:0"},
		"a socket without an address": {"@", []string{"192.0.2.7"}, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		for _, line := range c.named {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := client(r, proxies); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
