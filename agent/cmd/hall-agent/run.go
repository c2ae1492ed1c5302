package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"halledge/agent"
	"halledge/agent/internal/config"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/configs"
)

func runCommand(path *string) *cobra.Command {
	var ready, root string
	var isInstalled bool
	cmd := &cobra.Command{
		Use: "run", Short: "运行大厅代理", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if isInstalled {
				if err := checkStart(root, cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			return serve(cmd.Context(), *path, root, ready, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&root, "root", "/", rootHelp)
	cmd.Flags().BoolVar(&isInstalled, "installed", false, "先核对装好的程序是不是发布方签的（放了公钥才核对），不是就不启动")
	cmd.Flags().StringVar(&ready, "ready-file", "", "file to write the addresses of the pages to when the hall can be used")
	return cmd
}

// codeNothingGood says that the configuration is bad and that there was no good one before.
const codeNothingGood problem.Code = "config_nothing_good"

// serve runs the agent until ctx ends.
func serve(ctx context.Context, path, root, ready string, stderr io.Writer) error {
	cfg, problems, err := config.LoadOrLastGood(path, "")
	if len(problems) > 0 {
		if err := printProblems(stderr, problems); err != nil {
			return err
		}
	}
	if cfg == nil {
		return command.BadUsage(&ops.Error{Code: codeNothingGood, Err: err})
	}
	lines := logs.New(stderr, logs.Options{Level: level(cfg.Site.Log.Level), Keep: 1000})
	defer lines.Flush()
	log := lines.Logger
	if err != nil {
		log.Warn("last good configuration not kept", "error", err)
	}
	limitMemory(cfg.Site.Hall.Profile)
	a, err := agent.New(agent.Options{
		Config: cfg, Version: version, Log: log, Lines: lines.Ring, Root: root,
		Ready: func(addr string) { announce(ready, addr, cfg.Site.Web.Scheme(), log) },
	})
	if err != nil {
		return err
	}
	log.Info("hall agent starts", "version", version, "hall", cfg.Site.Hall.Code, "profile", cfg.Site.Hall.Profile)
	err = a.Run(ctx)
	log.Info("hall agent ends")
	return err
}

// announce tells systemd and whoever asked for a ready file that the hall can be used.
func announce(file, addr, scheme string, log *slog.Logger) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("service manager not told", "error", err)
	}
	if file == "" {
		return
	}
	raw, err := json.Marshal(map[string]string{"http": addr, "url": scheme + "://" + addr})
	if err == nil {
		if err = os.WriteFile(file+".tmp", raw, 0o600); err == nil {
			err = os.Rename(file+".tmp", file)
		}
	}
	if err != nil {
		log.Error("ready file not written", "error", err)
	}
}

// limitMemory keeps a small box small: the collector works harder near the profile's size.
func limitMemory(profile string) {
	limits := map[string]int64{"full": 112 << 20, "town": 72 << 20, "village": 40 << 20}
	if n, ok := limits[profile]; ok && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(n)
	}
}

func level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return l
}

func printProblems(w io.Writer, problems strictyaml.Problems) error {
	texts, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		return err
	}
	return problems.Print(w, texts.Say)
}
