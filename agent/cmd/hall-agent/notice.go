package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/notices"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/private"
	"halledge/firmware-protocols/hallsync"
)

func noticeCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "notice", Short: "屏幕上的公告", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "install 文件", Short: "安装从中心带来的公告包，给没有网络的大厅用；服务运行时也可以用，用服务的账号执行", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return installNotice(cmd, *path, args[0]) },
	})
	return cmd
}

// noticeKeys gives the keys that notices are signed with, and the time: those of agent.yaml, or what the box was enrolled with.
func noticeKeys(cfg *config.Config) (keys []gm.PublicKey, now func() time.Time, err error) {
	for _, k := range cfg.Site.Notices.Keys {
		keys = append(keys, k.PublicKey)
	}
	if keys != nil {
		return keys, time.Now, nil
	}
	own, err := identity.OpenReadOnly(filepath.Join(cfg.Site.Data, identity.Directory), identity.Options{
		Hall: hallsync.HallID(cfg.Site.Hall.Code), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, err
	}
	return own.Receipts(), own.Now, nil
}

func installNotice(cmd *cobra.Command, path, file string) error {
	cfg, err := load(cmd, path)
	if err != nil {
		return err
	}
	keys, now, err := noticeKeys(cfg)
	if err != nil {
		return err
	}
	shelf, err := notices.Open(notices.Options{
		Dir: filepath.Join(cfg.Site.Data, notices.Directory), Hall: hallsync.HallID(cfg.Site.Hall.Code), Keys: func() []gm.PublicKey { return keys },
		Now: now, Log: slog.New(slog.DiscardHandler),
	})
	var unsafe *private.UnsafeError
	if errors.As(err, &unsafe) {
		return &identity.Fault{Code: identity.CodeUnsafe, Path: unsafe.Path, Err: err}
	}
	if err != nil {
		return err
	}
	m, err := shelf.Install(file)
	if err = errors.Join(err, shelf.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "已安装：%s 组屏幕第 %d 版，%d 项，显示到 %s\n", m.Group, m.Version, len(m.Items), m.Until.Local().Format("2006-01-02 15:04"))
	if err == nil && !slices.ContainsFunc(cfg.Plan.Screens, func(s config.Screen) bool { return s.NoticeGroup() == m.Group }) {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "注意：本大厅没有 %s 组的屏幕，没有屏幕会显示它\n", m.Group)
	}
	return err
}
