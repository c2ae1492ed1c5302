package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// codeValid is how long a code is good that somebody reads out to whoever stands before the box.
const codeValid = 15 * time.Minute

func pkiCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "pki", Short: "中心的证书", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	show := func(use, short string, make bool) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withRegister(cmd, *path, make, func(_ config.Config, r *pki.Register) error {
					return showRoots(cmd.OutOrStdout(), r.Roots())
				})
			},
		}
	}
	cmd.AddCommand(
		show("init", "生成两个根证书（已有的不动）；用运行中心服务的账号执行", true),
		show("show", "显示两个根证书；服务运行时也可以用", false),
	)
	return cmd
}

func enrolCodeCommand(path *string) *cobra.Command {
	var serial string
	var valid time.Duration
	cmd := &cobra.Command{
		Use: "enroll-code 大厅编码", Short: "生成一个大厅的接入码，只能用一次；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			hall := hallsync.HallID(args[0])
			return withRegister(cmd, *path, false, func(cfg config.Config, r *pki.Register) error {
				if !slices.ContainsFunc(cfg.Halls, func(h config.Hall) bool { return h.Code == hall }) {
					return usage(codeNoHall, "hall", args[0])
				}
				code, err := r.NewCode(cmd.Context(), hall, serial, valid, pki.Actor{Name: operator(), By: access.ByCommand})
				if err == nil {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), code.Line())
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&serial, "serial", "", "设备的序列号；写了，就只有这台设备能用")
	cmd.Flags().DurationVar(&valid, "valid", codeValid, "有效期，最长 30 天（720h）")
	return cmd
}

// withRegister runs do on the authority that cloud.yaml names.
func withRegister(cmd *cobra.Command, path string, make bool, do func(config.Config, *pki.Register) error) error {
	cfg, err := load(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	st, err := store.Open(cmd.Context(), cfg.Database, store.Options{Shared: true})
	if err != nil {
		return err
	}
	r, err := pki.Open(cmd.Context(), st, pki.Options{Directory: cfg.PKI.Directory, Make: make, Now: time.Now})
	if err == nil {
		err = do(cfg, r)
	}
	return errors.Join(err, st.Close())
}

func showRoots(w io.Writer, roots pki.Roots) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, until := roots.SM2.Valid()
	for _, r := range []struct {
		name  string
		der   []byte
		until time.Time
	}{{roots.TLS.Subject.CommonName, roots.TLS.Raw, roots.TLS.NotAfter}, {roots.SM2.CN(), roots.SM2.DER(), until}} {
		digest := gm.Sum(r.der)
		fmt.Fprintf(table, "%s\t有效到 %s\tSM3 %s\n", r.name, r.until.Format(time.DateOnly), hex.EncodeToString(digest[:]))
	}
	return table.Flush()
}
