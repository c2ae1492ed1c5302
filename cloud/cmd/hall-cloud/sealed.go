package main

import (
	"errors"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/cloud"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/person"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// sealedData is the database with the keys that open what halls have sealed.
type sealedData struct {
	cfg     config.Config
	store   *store.Store
	vault   *vault.Vault
	opener  *sealed.Opener
	ingest  *ingest.Ingester
	persons *person.Desk
}

// withSealed runs do on the database and the vault that cloud.yaml names. It needs the account of the service.
func withSealed(cmd *cobra.Command, path string, o store.Options, do func(*sealedData) error) error {
	cfg, err := load(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	st, err := store.Open(cmd.Context(), cfg.Database, o)
	if err != nil {
		return err
	}
	s := &sealedData{cfg: cfg, store: st}
	if s.vault, err = cloud.OpenVault(cmd.Context(), st, cfg, !o.Shared && owns(cfg.Database)); err == nil {
		s.opener = sealed.New(s.vault)
		s.ingest = ingest.New(ingest.Options{
			Store: st, Vault: s.vault, Opener: s.opener, Required: cfg.Facts.Sealed == config.SealedRequired,
			Changed: func(hallsync.HallID, ingest.Touched) {}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		})
		s.persons = person.New(person.Options{
			Store: st, Vault: s.vault, Opener: s.opener, Rebuild: s.ingest.RebuildHall, Term: time.Duration(cfg.Facts.Days) * 24 * time.Hour,
		})
		err = do(s)
	}
	return errors.Join(err, st.Close())
}

// owns reports whether a file belongs to who runs this: keys that somebody else makes the service could not use.
func owns(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	return known && int(stat.Uid) == os.Geteuid()
}

func vaultCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "vault", Short: "中心打开数据、签回执和命令的密钥", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "rotate", Short: "换用新密钥（旧的留着）；用运行中心服务的账号执行，重启服务后生效", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSealed(cmd, *path, store.Options{Shared: true}, func(s *sealedData) error {
				v, err := vault.Rotate(vault.Options{Directory: s.cfg.Vault.Directory, Known: s.vault.IDs()})
				if err != nil {
					return err
				}
				return s.store.Write(cmd.Context(), func(tx *store.Tx) error {
					now := time.Now()
					return errors.Join(tx.AddVaultKeys(v.IDs(), now), tx.AddAudit(store.Audit{
						At: now, Actor: operator(), By: access.ByCommand, Action: store.ActionVaultRotate, Subject: v.Keys().Open[0].ID(), Result: "ok",
					}))
				})
			})
		},
	})
	return cmd
}
