package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// DoorFile is where a running agent leaves its address and a token for the doctor, inside the data directory.
const DoorFile = "doctor.json"

// Door is the content of DoorFile.
type Door struct {
	HTTP  string `json:"http"` // host:port
	Token string `json:"token"`
}

// LeaveDoor writes DoorFile; only the agent's user and root can read it.
func LeaveDoor(data string, d Door) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	path := filepath.Join(data, DoorFile)
	if err := os.WriteFile(path+".tmp", raw, 0o600); err != nil {
		return fmt.Errorf("door for the doctor: %w", err)
	}
	return os.Rename(path+".tmp", path)
}

// Verdict is how one check ended.
type Verdict string

// The verdicts.
const (
	Good Verdict = "ok"
	Warn Verdict = "warn"
	Bad  Verdict = "fail"
)

// Check is one line of the doctor's report: what was looked at, what was found, and what to do.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Code    string  `json:"code,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Advice  string  `json:"advice,omitempty"`
}

// Report is the doctor's whole report.
type Report struct {
	OK     bool    `json:"ok"` // no check is bad
	Checks []Check `json:"checks"`
}

func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
	if c.Verdict == Bad {
		r.OK = false
	}
}

// askLimit bounds each question to the running agent.
const askLimit = 20 * time.Second

// Examine checks a box: the files, the disk, the clock, and through the running agent its devices, cameras and uplink. path is
// agent.yaml.
func Examine(ctx context.Context, path string) Report {
	r := Report{OK: true}
	cfg, problems := config.Load(path)
	if problems.Err() != nil {
		r.add(Check{Name: "配置文件", Verdict: Bad, Code: "config", Detail: fmt.Sprintf("%d 处错误", len(problems)),
			Advice: "运行 hall-agent check --config " + path + "，按行号修改。"})
	} else {
		r.add(Check{Name: "配置文件", Verdict: Good, Detail: path})
	}
	r.add(clockCheck(time.Now()))
	r.add(dataCheck(cfg.Site.Data))
	r.askAgent(ctx, cfg)
	return r
}

func clockCheck(now time.Time) Check {
	if now.Year() < firstSane {
		return Check{Name: "系统时间", Verdict: Bad, Code: "clock_unset", Detail: now.Format(time.DateTime),
			Advice: "校正时间（timedatectl），检查主板电池和时间服务器。"}
	}
	return Check{Name: "系统时间", Verdict: Good, Detail: now.Format("2006-01-02 15:04:05 -07:00")}
}

func dataCheck(dir string) Check {
	c := Check{Name: "数据目录", Verdict: Good, Detail: dir}
	sync, err := store.MeasureSync(dir, store.DiskSamples)
	if err != nil {
		c.Verdict, c.Code, c.Advice = Bad, "storage_failed", "检查目录是否存在、服务用户能否写入、磁盘是否只读。"
		c.Detail = dir + "：" + err.Error()
		return c
	}
	free, err := freeBytes(dir)
	switch {
	case err == nil && free < lowSpace:
		c.Verdict, c.Code, c.Advice = Bad, "disk_full", "清理磁盘：剩余不足 256 MiB。"
	case sync.P99 > slowSync:
		c.Verdict, c.Code, c.Advice = Warn, "disk_slow", "磁盘写入慢，取号叫号会有停顿；检查硬盘健康，建议更换固态硬盘。"
	}
	c.Detail = fmt.Sprintf("%s，剩余 %d MiB，一次落盘 %s", dir, free>>20, sync.P99.Round(10*time.Microsecond))
	return c
}

// askAgent adds what only the running agent knows.
func (r *Report) askAgent(ctx context.Context, cfg *config.Config) {
	door, err := findDoor(cfg.Site.Data)
	var devices struct{ Devices []hallsync.DeviceStatus }
	var hall struct{ Health []hallsync.Condition }
	if err == nil {
		err = door.ask(ctx, http.MethodGet, "/api/v1/devices", &devices)
	}
	if err == nil {
		err = door.ask(ctx, http.MethodGet, "/api/v1/hall", &hall)
	}
	if err != nil {
		r.add(Check{Name: "代理服务", Verdict: Bad, Code: "agent_down", Detail: err.Error(),
			Advice: "查看服务：systemctl status hall-agent，日志：journalctl -u hall-agent -n 50。"})
		return
	}
	r.add(Check{Name: "代理服务", Verdict: Good, Detail: "http://" + door.HTTP})
	for _, d := range devices.Devices {
		c := Check{Name: "设备 " + d.Name, Verdict: Good, Detail: d.Model}
		switch d.State {
		case "ok":
		case "degraded", "starting":
			c.Verdict = Warn
		default:
			c.Verdict = Bad
		}
		if d.Code != "" {
			c.Code, c.Advice = "device_"+d.Code, d.Advice
		}
		r.add(c)
	}
	r.conditions(cfg, hall.Health)
}

// conditions adds the agent's findings that no device check has told already, and a good line for what has none.
func (r *Report) conditions(cfg *config.Config, found []hallsync.Condition) {
	told := map[string]bool{}
	for _, c := range found {
		if strings.HasPrefix(c.Code, "device_") {
			continue
		}
		verdict := Warn
		if c.Severity == "error" {
			verdict = Bad
		}
		name := strings.TrimSpace(c.Title + " " + c.Subject)
		r.add(Check{Name: name, Verdict: verdict, Code: c.Code, Advice: c.Advice})
		told[area(c.Code)] = true
	}
	if cfg.Site.Cloud.MQTT != "" && !told["uplink"] {
		r.add(Check{Name: "上报中心", Verdict: Good, Detail: cfg.Site.Cloud.MQTT})
	}
	if len(cfg.Site.Cameras) > 0 && !told["camera"] {
		r.add(Check{Name: "摄像头", Verdict: Good, Detail: fmt.Sprintf("%d 路", len(cfg.Site.Cameras))})
	}
}

func area(code string) string {
	switch {
	case strings.HasPrefix(code, "uplink_"), code == "log_backlog", code == "epoch_stale":
		return "uplink"
	case strings.HasPrefix(code, "camera_"), code == "relay_down":
		return "camera"
	}
	return code
}

// reachable is where an agent that listens on all addresses is found from the box itself.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// findDoor gives the way into the running agent.
func findDoor(data string) (Door, error) {
	path := filepath.Join(data, DoorFile)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return Door{}, fmt.Errorf("没有权限读取 %s，请用 sudo 运行", path)
	case err != nil:
		return Door{}, errors.New("代理没有在运行")
	}
	var d Door
	if err := json.Unmarshal(raw, &d); err != nil {
		return Door{}, fmt.Errorf("%s：%w", path, err)
	}
	d.HTTP = reachable(d.HTTP)
	return d, nil
}

// Text writes the report for a person's shell.
func (r Report) Text(w io.Writer) error {
	marks := map[Verdict]string{Good: "✓", Warn: "!", Bad: "✗"}
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s %s", marks[c.Verdict], c.Name)
		if c.Detail != "" {
			fmt.Fprintf(&b, "  %s", c.Detail)
		}
		if c.Code != "" {
			fmt.Fprintf(&b, "  [%s]", c.Code)
		}
		b.WriteByte('\n')
		if c.Advice != "" {
			fmt.Fprintf(&b, "    → %s\n", c.Advice)
		}
	}
	if r.OK {
		b.WriteString("\n一切正常。\n")
	} else {
		b.WriteString("\n有问题需要处理，见上面标 ✗ 的各项。\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
