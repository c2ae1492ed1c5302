package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/relay"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
)

func camerasCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cameras", Short: "列出摄像头和认它们的依据：网卡地址、证书公钥、自报的信息", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
			}
			list, err := ops.Cameras(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return tellCameras(cmd.OutOrStdout(), list)
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "adopt 编码或名称", Short: "确认换过的摄像头：现在应答的那一台以后就是它", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return adoptCamera(cmd, *path, args[0]) },
	})
	return cmd
}

// codeCameraUnknown says that no camera has the name.
const codeCameraUnknown problem.Code = "camera_unknown"

func adoptCamera(cmd *cobra.Command, path, name string) error {
	cfg, err := load(cmd, path)
	if err != nil {
		return err
	}
	list, err := ops.Cameras(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(c relay.Known) bool { return c.Code == name || c.Name == name })
	if i < 0 {
		return &ops.Error{Code: codeCameraUnknown, Err: fmt.Errorf("no camera %q", name)}
	}
	c := list[i]
	if err := ops.AdoptCamera(cmd.Context(), cfg, c); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s 已确认\n  原来：%s\n  现在：%s\n", c.Code, machine(c.Known), machine(c.Seen))
	return err
}

// tellCameras writes the list for a person's shell.
func tellCameras(w io.Writer, list []relay.Known) error {
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("没有配置摄像头。\n")
	}
	for _, c := range list {
		fmt.Fprintf(&b, "%s  %s  %s\n  认它的依据：%s\n", c.Code, c.Name, standing(c.Standing), machine(c.Known))
		if c.Verdict == pin.Changed || c.Verdict == pin.Unlike {
			fmt.Fprintf(&b, "  现在应答的：%s\n  → 确实换过或升级过：hall-agent cameras adopt %s\n", machine(c.Seen), c.Code)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func standing(s pin.Standing) string {
	switch s.Verdict {
	case pin.Changed:
		return "✗ 换了机器，没有转发"
	case pin.Unlike:
		return "! 自报的信息变了，认不准"
	case pin.Same, pin.First:
		return "✓ 是它"
	}
	return "启动以后还没有连上过"
}

// machine says by what a machine is known.
func machine(m pin.Machine) string {
	var parts []string
	if m.MAC != "" {
		parts = append(parts, "MAC "+m.MAC)
	}
	if m.Key != "" {
		parts = append(parts, "公钥 "+m.Key)
	}
	if m.Says != "" {
		parts = append(parts, "自报 "+m.Says)
	}
	if len(parts) == 0 {
		return "还没有"
	}
	return strings.Join(parts, "，")
}
