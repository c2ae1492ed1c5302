// Package chrome gives tests a real Chromium. What a test acts on is found by role and name, as assistive technology finds it, is
// clicked where it is drawn, and every fault that a page reports (exceptions, refused scripts, failed loads) fails the test.
package chrome

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"halledge/test/demo"
)

// Times on a slow machine.
const (
	patience = 30 * time.Second // for anything a page shall show
	step     = 20 * time.Second // for one command of the browser
)

// unwanted are parts of the browser that no page needs: each window would draw suggestions for its address line.
const unwanted = "Translate,WebUIOmniboxPopup,WebUIOmniboxFullPopup,WebUIOmniboxAimPopup"

// install is what a machine without the browser is told.
const install = "apt-get install -y --no-install-recommends chromium fonts-noto-cjk"

// Browser is one running Chromium; its pages share cookies, as the tabs of one machine do.
type Browser struct {
	ctx context.Context
}

// Start runs a browser without a window until the test ends.
func Start(t testing.TB) *Browser {
	t.Helper()
	return start(t)
}

// StartWithCamera is Start on a machine with a camera, which sees what is in a film: a file of JPEG pictures, read anew each time the
// camera is switched on.
func StartWithCamera(t testing.TB, film string) *Browser {
	t.Helper()
	return start(t, chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", film))
}

// StartAtHome is Start under an account whose home is a directory of the test: what is trusted there, the browser trusts.
func StartAtHome(t testing.TB, home string) *Browser {
	t.Helper()
	return start(t, chromedp.Env("HOME="+home))
}

// StartShowing is StartAtHome of a browser that shows a site, such as https://127.0.0.1:8443, the certificate that there is for it without
// asking whoever sits there, as machines of an office are set up: without a window nobody could be asked.
func StartShowing(t testing.TB, home, site string) *Browser {
	t.Helper()
	profile := t.TempDir()
	selects := map[string]any{site + ",*": map[string]any{"setting": map[string]any{"filters": []any{map[string]any{}}}}}
	settings, err := json.Marshal(map[string]any{"profile": map[string]any{"content_settings": map[string]any{"exceptions": map[string]any{"auto_select_certificate": selects}}}})
	if err == nil {
		err = os.Mkdir(filepath.Join(profile, "Default"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(profile, "Default", "Preferences"), settings, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return start(t, chromedp.Env("HOME="+home), chromedp.UserDataDir(profile))
}

func start(t testing.TB, further ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("the browser tests need chromium: %s (%v)", install, err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program),
		chromedp.Flag("lang", "zh-CN"), chromedp.Flag("disable-features", unwanted), chromedp.Flag("disable-gpu", true), chromedp.Flag("no-proxy-server", true))
	options = append(options, further...)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to sandbox for root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{ctx: ctx}
}

// Open shows an address in a new tab with a screen of a size, until the test ends. The faults of the page are then the test's.
func (b *Browser) Open(t testing.TB, width, height int, address string) *Page {
	t.Helper()
	p := &Page{t: t, width: width, height: height}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithListener(p.note))
	p.ctx = ctx
	t.Cleanup(func() {
		p.report()
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil { // makes the tab, which lives as long as ctx
		t.Fatalf("open a tab: %v", err)
	}
	p.do(chromedp.EmulateViewport(int64(width), int64(height)), timeZone)
	p.Go(address)
	return p
}

// timeZone sets the clock of the machine to a zone that no hall is in, as on many a machine fresh from the factory.
func timeZone(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
	_, err = cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/Los_Angeles"})
	return none, err
}

// until waits until check gives nil, or fails the test with its last error.
func until(t testing.TB, what string, check func() error) {
	t.Helper()
	demo.Until(t, patience, what, check)
}
