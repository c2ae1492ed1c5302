package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"halledge/agent/internal/config"
	"halledge/agent/internal/config/stanza"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
)

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
