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
	"halledge/cloud"
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
		exportCommand(path), importCommand(path),
	)
	return cmd
}

func exportCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "export-requests 目录", Short: "把等待外部 CA 签发的证书申请写进目录，清单是 requests.txt；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRegister(cmd, *path, false, func(cfg config.Config, r *pki.Register) error {
				if cloud.Issuers(cfg) != (pki.Issuers{}) {
					var waits *pki.Fault // the centre's own are ordered here the first time
					if _, err := r.OpenCentre(cmd.Context(), cloud.Hosts(cfg)); err != nil && (!errors.As(err, &waits) || waits.Code != pki.CodeElsewhere) {
						return err
					}
				}
				n, err := r.ExportRequests(cmd.Context(), args[0])
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d 个申请在 %s。\n", n, args[0])
				}
				return err
			})
		},
	}
}

func importCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "import 目录", Short: "导入外部 CA 签好的证书（PEM 或 DER）；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRegister(cmd, *path, false, func(_ config.Config, r *pki.Register) error {
				n, err := r.Import(cmd.Context(), args[0], pki.Actor{Name: operator(), By: access.ByCommand})
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d 份申请的证书已经齐了，设备下次来问时就会拿到。\n", n)
				}
				return err
			})
		},
	}
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
	r, err := pki.Open(cmd.Context(), st, pki.Options{Directory: cfg.PKI.Directory, Make: make, Issuers: cloud.Issuers(cfg), Hosts: cloud.Hosts(cfg), Domains: cfg.Edge.Domains, Now: time.Now})
	if err == nil {
		err = do(cfg, r)
	}
	return errors.Join(err, st.Close())
}

func showRoots(w io.Writer, roots pki.Roots) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, der []byte, until time.Time) {
		digest := gm.Sum(der)
		fmt.Fprintf(table, "%s\t有效到 %s\tSM3 %s\n", name, until.Format(time.DateOnly), hex.EncodeToString(digest[:]))
	}
	for _, c := range roots.TLS {
		row(c.Subject.CommonName, c.Raw, c.NotAfter)
	}
	for _, c := range roots.SM2 {
		_, until := c.Valid()
		row(c.CN(), c.DER(), until)
	}
	return table.Flush()
}
