package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/width"

	"halledge/agent/internal/config"
	"halledge/agent/internal/config/stanza"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
)

func devicesCommand(path *string) *cobra.Command {
	var asJSON bool
	var root string
	cmd := &cobra.Command{
		Use: "devices", Short: "列出配置的设备和状态，还有接上了但没有配置的", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
			}
			plugged, err := ops.Look(root, cfg)
			if err != nil {
				return err
			}
			list, notRunning := ops.Devices(cmd.Context(), cfg)
			if notRunning != nil {
				list = configured(cfg) // whoever sets up a hall looks before its first start
			}
			out := cmd.OutOrStdout()
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				err = enc.Encode(map[string]any{"devices": list, "found": plugged.Spares})
			} else {
				err = tell(out, list, plugged.Spares)
			}
			return errors.Join(err, notRunning)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "机器可读的 JSON")
	cmd.PersistentFlags().StringVar(&root, "root", "/", rootHelp)
	cmd.AddCommand(addCommand(path, &root))
	return cmd
}

// rootHelp is of --root, with which somebody tries the program on a machine that is none: a folder with the files by which the kernel shows
// devices.
const rootHelp = "在哪个目录下的 sys 里找设备"

// configured gives the devices of a hall whose agent does not run.
func configured(cfg *config.Config) []ops.Device {
	list := []ops.Device{}
	for _, d := range cfg.Site.Devices {
		one := ops.Device{Where: cmp.Or(d.Connect.Serial, d.Connect.TCP, d.Connect.File, "usb:"+d.Connect.USB)}
		one.Name, one.Class, one.Model, one.State = d.Name, string(d.Class()), d.Model, "stopped"
		list = append(list, one)
	}
	return list
}

// tell writes both lists for a person's shell.
func tell(w io.Writer, list []ops.Device, spares []devices.Spare) error {
	rows := [][]string{{"设备", "类别", "型号", "状态", "自", "在哪里", "怎么办"}}
	for _, d := range list {
		since := ""
		if !d.Since.IsZero() {
			since = d.Since.Format("01-02 15:04:05")
		}
		rows = append(rows, []string{d.Name, said(classes(), d.Class), d.Model, said(states(), d.State), since, whereIs(d), d.Advice})
	}
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("没有配置设备。\n")
	} else {
		table(&b, rows)
	}
	if len(spares) == 0 {
		b.WriteString("\n没有接上了却没配置的设备。\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	b.WriteString("\n接上了但没有配置：\n")
	rows = [][]string{{"接口", "编号", "插口", "是什么", "可能的型号"}}
	for _, s := range spares {
		rows = append(rows, []string{s.Path, s.Ref, s.Port, strings.TrimSpace(s.Maker + " " + s.Title), models(s)})
	}
	table(&b, rows)
	b.WriteString("\n加进配置：hall-agent devices add 编号或接口 [--model 型号] [--name 名称] [--write]\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// whereIs gives the node that a device has, the socket that it is in, and which one of its kind it said it is.
func whereIs(d ops.Device) string {
	at := d.Node
	if at == "" {
		at = d.Where
	}
	if d.Port != "" {
		at += " @" + d.Port
	}
	if d.Identity != "" {
		at += " #" + d.Identity
	}
	return at
}

// mostModels is how many models a line names.
const mostModels = 3

func models(s devices.Spare) string {
	if len(s.Proposals) == 0 {
		return "看不出，请用 --model 写明"
	}
	var names []string
	for _, p := range s.Proposals[:min(len(s.Proposals), mostModels)] {
		names = append(names, p.Model)
	}
	all := strings.Join(names, " ")
	if len(s.Proposals) > mostModels {
		all += " …"
	}
	return all
}

func classes() map[string]string {
	return map[string]string{
		"printer": "打印机", "scanner": "扫码器", "idcard": "读卡器", "screen": "显示屏", "speaker": "语音", "callpad": "叫号器", "ratingpad": "评价器",
	}
}

func states() map[string]string {
	return map[string]string{
		"starting": "启动中", "ok": "正常", "degraded": "需注意", "offline": "未连上", "unusable": "配置不能用", "stopped": "服务没运行",
	}
}

// said gives what people read for a word, or the word itself.
func said(words map[string]string, word string) string {
	if text, ok := words[word]; ok {
		return text
	}
	return word
}

// table writes rows in columns. A Chinese character is as wide as two others.
func table(b *strings.Builder, rows [][]string) {
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], columns(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", wide[i]-columns(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// columns is how wide a text is in a shell.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// What keeps an entry out of the file.
const (
	addForm   problem.Code = "add_form"   // file
	addExists problem.Code = "add_exists" // file
)

func addCommand(path, root *string) *cobra.Command {
	var model, name string
	var into bool
	cmd := &cobra.Command{
		Use: "add [编号|接口|插口]", Short: "给接上了但没配置的设备写出配置；--write 写进 agent.yaml", Args: command.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
			}
			plugged, err := ops.Look(*root, cfg)
			if err != nil {
				return err
			}
			d, err := plugged.Propose(strings.Join(args, ""), model, name)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), stanza.Of(d))
			if !into {
				fmt.Fprintf(cmd.ErrOrStderr(), "写进 %s 的 devices 一段，或加 --write 自动写入。\n", *path)
				return nil
			}
			return put(cmd, *path, d)
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "型号；不写用最可能的")
	cmd.Flags().StringVar(&name, "name", "", "名称，如 kiosk-2.printer；不写用第一个没用过的")
	cmd.Flags().BoolVar(&into, "write", false, "写进 agent.yaml，原来的留作 agent.yaml"+stanza.Backup)
	return cmd
}

// put writes the entry of a device into the file.
func put(cmd *cobra.Command, path string, d config.Device) error {
	problems, err := stanza.Add(path, d)
	args := map[string]string{"file": path}
	switch {
	case errors.Is(err, strictyaml.ErrForm):
		return &ops.Error{Code: addForm, Args: args, Err: err}
	case errors.Is(err, stanza.ErrTaken):
		return &ops.Error{Code: addExists, Args: args, Err: err}
	case err != nil:
		return err
	case problems != nil:
		if err := printProblems(cmd.ErrOrStderr(), problems); err != nil {
			return err
		}
		return &command.Error{Code: command.Usage}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "已写进 %s，原来的留作 %s。重启服务后生效：sudo systemctl restart hall-agent\n", path, path+stanza.Backup)
	return nil
}

func testCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "test DEVICE", Short: "让一个设备自检：打一张测试条、显示一行测试字；扫码器和叫号器请在 20 秒内扫一下、按一下", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
			}
			switch (config.Device{Name: args[0]}).Class() {
			case "scanner":
				fmt.Fprintln(cmd.ErrOrStderr(), "请在 20 秒内对着扫码器扫一个码……")
			case "callpad":
				fmt.Fprintln(cmd.ErrOrStderr(), "请在 20 秒内按一下叫号器……")
			case "ratingpad":
				fmt.Fprintln(cmd.ErrOrStderr(), "请在 20 秒内在评价器上按任意一档……")
			}
			if err := ops.TestDevice(cmd.Context(), cfg, args[0]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), args[0], "自检完成")
			return nil
		},
	}
}

// load reads the configuration for a command that needs it whole.
func load(cmd *cobra.Command, path string) (*config.Config, error) {
	cfg, problems := config.Load(path)
	if problems.Err() != nil {
		if err := printProblems(cmd.ErrOrStderr(), problems); err != nil {
			return nil, err
		}
		return nil, &command.Error{Code: command.Usage}
	}
	return cfg, nil
}
