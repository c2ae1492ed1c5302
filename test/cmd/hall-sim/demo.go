package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/test/fakes/camera"
	"halledge/test/fakes/hardware"
)

// demoOptions come from the command line and from the environment that make run passes on.
type demoOptions struct {
	dir  string // of everything the demo writes
	bin  string // of hall-agent and hall-cloud
	host string // of all addresses
	base int    // first port; 0: the system chooses every port; -1: the usual ports
	keep bool   // go on with the data of the last demo
	zone string // of the hall
	way  string // by which the hall reaches the cloud: tls, tlcp or tcp
}

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use: "demo", Short: "Run a whole hall: cloud, agent, devices and cameras", Args: cobra.NoArgs,
		Long: "Run a whole hall: the real cloud and agent with simulated devices and cameras.\n" +
			"DEMO_BASE_PORT=n moves all ports to n and above, 0 lets the system choose; DEMO_KEEP=1 goes on with the last data;\n" +
			"DEMO_HOST=127.0.0.2 serves at another address of this machine alone; DEMO_ZONE=Asia/Urumqi puts the hall into another zone;\n" +
			"DEMO_TRANSPORT=tlcp lets the hall speak TLCP with the cloud, tcp nothing but MQTT; it is TLS by default.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.fromEnvironment(); err != nil {
				return command.BadUsage(err)
			}
			return runDemo(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.dir, "dir", "var/demo", "directory of everything the demo writes")
	cmd.Flags().StringVar(&o.bin, "bin", "", "directory of hall-agent and hall-cloud (default: this program's)")
	return cmd
}

func (o *demoOptions) fromEnvironment() error {
	o.base = -1
	if s := os.Getenv("DEMO_BASE_PORT"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 65500 {
			return fmt.Errorf("DEMO_BASE_PORT=%q is not a port", s)
		}
		o.base = n
	}
	o.host = cmp.Or(os.Getenv("DEMO_HOST"), "127.0.0.1")
	if ip := net.ParseIP(o.host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("DEMO_HOST=%q is not an address of the loopback", o.host)
	}
	o.zone = cmp.Or(os.Getenv("DEMO_ZONE"), "Asia/Shanghai")
	o.way = cmp.Or(os.Getenv("DEMO_TRANSPORT"), "tls")
	if o.way != "tls" && o.way != "tlcp" && o.way != "tcp" {
		return fmt.Errorf("DEMO_TRANSPORT=%q is not tls, tlcp or tcp", o.way)
	}
	o.keep = os.Getenv("DEMO_KEEP") != "" && os.Getenv("DEMO_KEEP") != "0"
	return nil
}

// address gives host and port of the n-th service of the demo; usual is its port by default.
func (o *demoOptions) address(n, usual int) string {
	port := usual
	switch o.base {
	case -1:
	case 0:
		port = 0
	default:
		port = o.base + n
	}
	return net.JoinHostPort(o.host, strconv.Itoa(port))
}

// runDemo starts everything, writes demo.json, and stops everything in order when ctx ends or a program dies.
func runDemo(ctx context.Context, o demoOptions, out io.Writer) (err error) {
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if o.bin == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.bin = filepath.Dir(self)
	}
	if err := freshDir(o); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	slips, err := newSlipBox(filepath.Join(o.dir, "slips"), log)
	if err != nil {
		return err
	}
	st, err := newStation(filepath.Join(o.dir, "dev"), slips.drop)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	cams, err := camera.Start(camera.Options{User: "admin", Password: cameraPassword, Paths: cameraPaths()})
	if err != nil {
		return fmt.Errorf("cameras: %w", err)
	}
	defer cams.Close()
	sec, err := loadSecrets(o.dir)
	if err != nil {
		return err
	}
	far, err := startProvince(sec)
	if err != nil {
		return fmt.Errorf("province: %w", err)
	}
	defer func() { err = errors.Join(err, far.Close()) }()
	h := newDemoHall(o, sec, st, cams, far)
	if err := hardware.NewMachine(h.machine()); err != nil {
		return fmt.Errorf("machine: %w", err)
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	if err := h.start(ctx); err != nil {
		return err
	}
	return h.serve(ctx, out)
}

// serve keeps the programs and the control socket until ctx ends. The socket ends before the devices do.
func (h *demoHall) serve(ctx context.Context, out io.Writer) error {
	cctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	failed := make(chan error, 3)
	for _, part := range []func(context.Context) error{h.cloud.keep, h.agent.keep, h.control} {
		wg.Go(func() { failed <- part(cctx) })
	}
	if err := h.writeDemoJSON(); err != nil {
		return err
	}
	fmt.Fprint(out, h.banner())
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nstopping …")
		return nil
	case err := <-failed:
		return err
	}
}

// freshDir empties the demo's directory unless the data are kept.
func freshDir(o demoOptions) error {
	if !o.keep {
		for _, name := range []string{"agent", "cloud", "slips"} {
			if err := os.RemoveAll(filepath.Join(o.dir, name)); err != nil {
				return err
			}
		}
	}
	// Links of devices that a killed demo left behind would block the new ones; logs are of one demo; and whoever waits for
	// demo.json must not read the addresses of the last one.
	for _, name := range []string{"dev", "machine", "logs", "demo.json"} {
		if err := os.RemoveAll(filepath.Join(o.dir, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"agent", "cloud", "logs"} {
		if err := os.MkdirAll(filepath.Join(o.dir, name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the agent first, so that its last facts still reach the cloud.
func (h *demoHall) stop() error {
	return errors.Join(h.agent.halt(), h.cloud.halt())
}

// banner is what a newcomer reads after make run.
func (h *demoHall) banner() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	agent, s := h.agentURL(), h.secrets
	line("")
	line("HallEdge 演示大厅已就绪 · the demo hall is up")
	line("")
	line("  取号机 kiosk     %s/kiosk/1?token=%s", agent, s.Kiosk)
	line("  叫号屏 screen    %s/screen/1?token=%s", agent, s.Screen)
	for _, p := range demoStaff {
		if p.window == "" {
			line("  总览 board       %s/board   导办台 desk %s/desk   工号 %s  PIN %s", agent, agent, p.id, s.PINs[p.id])
			continue
		}
		line("  窗口 window %s    %s/window/%s   工号 %s  PIN %s", p.window, agent, p.window, p.id, s.PINs[p.id])
		line("  评价 rating %s    %s/rate/%s?token=%s", p.window, agent, p.window, s.Kiosk)
	}
	line("  运维 ops         %s/ops?token=%s", agent, s.Ops)
	line("  运行中心 console %s   %s / %s", h.cloudURL(), adminUser, s.Admin)
	line("  公告 notices     %s/notices   没有人被叫到时，叫号屏轮播它 the screen shows it when nobody was called for 20 s", h.cloudURL())
	line("")
	line("  bin/hall-sim tap-card     刷身份证 a citizen taps a card, then press 取号 at the kiosk")
	line("  bin/hall-sim scan         扫粤省事码 a citizen shows a code")
	line("  bin/hall-sim province silent  省里不答复 the province does not answer; good 恢复")
	line("  bin/hall-sim press next   物理叫号器 the pad of window 1 calls the next")
	line("  bin/hall-sim unplug kiosk-1.printer  ·  bin/hall-agent doctor --config %s", h.agentConfig())
	line("  bin/hall-agent devices --config %s --root %s  接上了没配置的 plugged in, not configured", h.agentConfig(), h.machine())
	line("")
	line("  小票 slips %s   ·   全部地址 %s   ·   Ctrl-C 停止", filepath.Join(h.opts.dir, "slips"), filepath.Join(h.opts.dir, "demo.json"))
	line("")
	return b.String()
}

func (h *demoHall) writeDemoJSON() error {
	h.writing.Lock()
	defer h.writing.Unlock()
	raw, err := json.MarshalIndent(h.describe(), "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(h.opts.dir, "demo.json"), append(raw, '\n'))
}
