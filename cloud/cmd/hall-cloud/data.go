package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/cloud/internal/access"
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
				if err := st.Backup(cmd.Context(), args[0]); err != nil {
					return err
				}
				return note(cmd, st, store.ActionBackup, args[0])
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
			done, err := store.Restore(cmd.Context(), cfg.Database, args[0], time.Now())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if done.Kept != "" {
				_, err = fmt.Fprintln(out, "原来的数据库：", done.Kept)
			}
			if done.Undone {
				_, printErr := fmt.Fprintln(out, undone)
				err = errors.Join(err, printErr)
			}
			err = errors.Join(err, withStore(cmd, *path, store.Options{}, func(st *store.Store) error {
				return note(cmd, st, store.ActionRestore, args[0])
			}))
			if done.Erased > 0 { // what was made of the facts must go too
				err = errors.Join(err, rebuild(cmd, *path))
			}
			return err
		},
	}
}

// note writes into the audit what was done with the database and a file.
func note(cmd *cobra.Command, st *store.Store, action, file string) error {
	line := store.Audit{At: time.Now(), Actor: operator(), By: access.ByCommand, Action: action, Subject: filepath.Base(file), Result: "ok"}
	return st.Write(cmd.Context(), func(tx *store.Tx) error { return tx.AddAudit(line) })
}

// undone is said when nobody knows any more what was done since the backup.
const undone = "备份以后的吊销、隔离、停用、改密码、改角色和删除个人信息没有带过来（原来的数据库没有了、读不出来或者不是这个中心的）：请照登记再做一遍。"

func rebuildCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "rebuild", Short: "由日志重算号、呼叫和窗口；先停服务", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return rebuild(cmd, *path) },
	}
}

func rebuild(cmd *cobra.Command, path string) error {
	return withSealed(cmd, path, store.Options{}, func(s *sealedData) error {
		facts, err := s.ingest.Rebuild(cmd.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "已由 %d 条事实重算。\n", facts)
		return err
	})
}
