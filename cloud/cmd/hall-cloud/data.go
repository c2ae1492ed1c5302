package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/store"
)

// withStore runs do on the database that cloud.yaml names.
func withStore(cmd *cobra.Command, path string, o store.Options, do func(*store.Store) error) error {
	cfg, err := load(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	st, err := store.Open(cmd.Context(), cfg.Database, o)
	if err != nil {
		return err
	}
	return errors.Join(do(st), st.Close())
}

func backupCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "backup 文件", Short: "把数据库备份到新文件；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, *path, store.Options{Shared: true}, func(st *store.Store) error {
				return st.Backup(cmd.Context(), args[0])
			})
		},
	}
}

func restoreCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "restore 文件", Short: "用备份换掉数据库，原来的留在旁边；先停服务", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(*path, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			kept, err := store.Restore(cmd.Context(), cfg.Database, args[0], time.Now())
			if kept != "" {
				_, printErr := fmt.Fprintln(cmd.OutOrStdout(), "原来的数据库：", kept)
				err = errors.Join(err, printErr)
			}
			return err
		},
	}
}

func rebuildCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "rebuild", Short: "由日志重算号、呼叫和窗口；先停服务", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, *path, store.Options{}, func(st *store.Store) error {
				facts, err := ingest.Rebuild(cmd.Context(), st)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "已由 %d 条事实重算。\n", facts)
				return err
			})
		},
	}
}

func journalCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "journal", Short: "大厅的日志", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "verify", Short: "逐条核对存下的事实和收到时的散列；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, *path, store.Options{Shared: true}, func(st *store.Store) error { return verify(cmd, st) })
		},
	})
	return cmd
}

func verify(cmd *cobra.Command, st *store.Store) error {
	v, err := st.Verify(cmd.Context())
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	what := map[string]string{store.FaultHash: "内容和散列不符", store.FaultHole: "缺失"}
	for _, f := range v.Faults {
		if _, err := fmt.Fprintf(out, "大厅 %s 纪元 %s 序号 %d：%s\n", f.Hall, f.Epoch, f.Seq, what[f.What]); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "%d 个大厅，%d 条事实，其中拒收 %d 条，有问题 %d 条。\n", v.Halls, v.Events, v.Refused, len(v.Faults)); err != nil {
		return err
	}
	if len(v.Faults) > 0 {
		return &command.Error{Code: command.Failure}
	}
	return nil
}
