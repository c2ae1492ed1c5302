package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"halledge/agent/internal/config"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
)

func devicesCommand(path *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "devices", Short: "列出设备和状态", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
			}
			list, err := ops.Devices(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(map[string]any{"devices": list})
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "设备\t类别\t型号\t状态\t自\t怎么办")
			for _, d := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Name, d.Class, d.Model, d.State, d.Since.Format("01-02 15:04:05"), d.Advice)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "机器可读的 JSON")
	return cmd
}

func testCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "test DEVICE", Short: "让一个设备自检：打一张测试条、显示一行测试字", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
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
