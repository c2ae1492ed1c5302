package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/agent/kit/logs"
	"halledge/cloud"
)

func runCommand(path *string) *cobra.Command {
	var ready string
	cmd := &cobra.Command{
		Use: "run", Short: "运行中心服务", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), *path, ready, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&ready, "ready-file", "", "全部就绪后把监听地址写进这个文件（JSON）")
	return cmd
}

// serve runs the service until ctx ends.
func serve(ctx context.Context, path, ready string, stderr io.Writer) error {
	cfg, err := load(path, stderr)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return err
	}
	lines := logs.New(stderr, logs.Options{Level: level, Keep: 1})
	defer lines.Flush()
	c, err := cloud.New(cloud.Options{
		Config: cfg, Version: version, Log: lines.Logger,
		Ready: func(a cloud.Addresses) { announce(ready, a, lines.Logger) },
	})
	if err != nil {
		return err
	}
	lines.Logger.Info("cloud starts", "version", version)
	err = c.Run(ctx)
	lines.Logger.Info("cloud ends")
	return err
}

// announce tells the service manager, and whoever asked for a ready file, that the cloud can be used.
func announce(file string, a cloud.Addresses, log *slog.Logger) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("service manager not told", "error", err)
	}
	if file == "" {
		return
	}
	if err := writeReady(file, a); err != nil {
		log.Error("ready file not written", "file", file, "error", err)
	}
}

// writeReady puts the file in place whole, so that a reader never sees half of it.
func writeReady(file string, a cloud.Addresses) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".tmp", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".tmp", file)
}

func checkCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "检查 cloud.yaml，一次列出全部问题", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load(*path, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "配置没有问题：%d 个大厅，%d 个用户。\n", len(c.Halls), len(c.Users))
			return err
		},
	}
}
