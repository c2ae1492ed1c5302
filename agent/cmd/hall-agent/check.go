package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/configs"
)

func checkCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "检查配置，一次列出全部问题", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, problems := config.Load(*path)
			if file := cfg.Site.Codes.Rules; file != "" {
				_, _, found := codes.LoadRules(file)
				problems = append(problems, found...)
			}
			if err := printProblems(cmd.ErrOrStderr(), problems); err != nil {
				return err
			}
			if problems.Err() != nil {
				return &command.Error{Code: command.Usage}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "配置正确：", *path)
			return nil
		},
	}
}

func doctorCommand(path *string) *cobra.Command {
	var asJSON bool
	var root string
	cmd := &cobra.Command{
		Use: "doctor", Short: "体检：哪里有问题，怎么办", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			texts, err := problem.ParseCatalog(configs.Messages())
			if err != nil {
				return err
			}
			report := ops.Examine(cmd.Context(), *path, root, texts)
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(report)
			} else {
				err = report.Text(cmd.OutOrStdout())
			}
			if err == nil && !report.OK {
				err = &command.Error{Code: command.Failure}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "机器可读的 JSON")
	cmd.Flags().StringVar(&root, "root", "/", rootHelp)
	return cmd
}
