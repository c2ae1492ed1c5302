package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/agent/kit/command"
	"halledge/firmware-protocols/hallsync"
)

func journalCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{Use: "journal", Short: "日志库：核验、统计、导出（先停服务）", Args: command.Args(cobra.NoArgs)}
	cmd.AddCommand(
		&cobra.Command{Use: "verify", Short: "逐条核验，指出第一处错误", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withJournal(cmd, *path, func(s *store.Store) error {
					st, err := s.Verify()
					if err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "完好：第 %d 条到第 %d 条，共 %d 条\n", st.First, st.Next-1, st.Facts)
					return nil
				})
			}},
		&cobra.Command{Use: "stats", Short: "条数、已上报到哪里、文件大小（JSON）", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withJournal(cmd, *path, func(s *store.Store) error {
					st, err := s.Verify()
					if err != nil {
						return err
					}
					return json.NewEncoder(cmd.OutOrStdout()).Encode(st)
				})
			}},
		&cobra.Command{Use: "export", Short: "每行一条事实（JSON）", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withJournal(cmd, *path, func(s *store.Store) error { return export(cmd, s) })
			}},
	)
	return cmd
}

func withJournal(cmd *cobra.Command, path string, do func(*store.Store) error) error {
	cfg, err := load(cmd, path)
	if err != nil {
		return err
	}
	s, err := store.OpenReadOnly(cfg.Site.Data, store.Options{
		Hall: hallsync.HallID(cfg.Site.Hall.Code), Delivered: uplink.CursorName, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// exportStep bounds the memory of an export.
const exportStep = 1000

func export(cmd *cobra.Command, s *store.Store) error {
	for after := hallsync.Seq(0); ; {
		raws, err := s.Read(after, exportStep, 8<<20)
		if err != nil || len(raws) == 0 {
			return err
		}
		for _, raw := range raws {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", raw); err != nil {
				return err
			}
		}
		var last hallsync.Event
		if err := json.Unmarshal(raws[len(raws)-1], &last); err != nil {
			return err
		}
		after = last.Seq
	}
}
