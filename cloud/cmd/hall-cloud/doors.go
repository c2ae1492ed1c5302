package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/agent/kit/whole"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/pki"
	"halledge/firmware-protocols/hallsync"
)

// provisionValid is how long a code on a stick is good.
const provisionValid = 30 * 24 * time.Hour

// maxHallList bounds the file that names halls, in bytes: a province has 2,028.
const maxHallList = 1 << 20

func provisionCommand(path *string) *cobra.Command {
	var list, out string
	cmd := &cobra.Command{
		Use: "provision", Short: "给一批大厅各生成一个接入文件，拷到 U 盘带到现场，30 天内有效；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usage(codeFlag, "flag", "--out")
			}
			return withRegister(cmd, *path, false, func(cfg config.Config, r *pki.Register) error {
				if cfg.Edge.HTTPS == "" || !strings.HasPrefix(cfg.Edge.HTTPS, "https://") {
					return usage(codeNoAddress)
				}
				halls, err := readHalls(list, cfg)
				if err != nil {
					return err
				}
				return provision(cmd, cfg, r, halls, out)
			})
		},
	}
	cmd.Flags().StringVar(&list, "halls", "", "大厅编码，一行一个；不写就是配置里的全部大厅")
	cmd.Flags().StringVar(&out, "out", "", "放接入文件的目录，每个大厅一个文件")
	return cmd
}

// readHalls gives the halls that a file names, one in a line, all of which the configuration knows; without a file all of them.
func readHalls(path string, cfg config.Config) (halls []hallsync.HallID, err error) {
	known := func(id hallsync.HallID) bool {
		return slices.ContainsFunc(cfg.Halls, func(h config.Hall) bool { return h.Code == id })
	}
	if path == "" {
		for _, h := range cfg.Halls {
			halls = append(halls, h.Code)
		}
		return halls, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxHallList {
		return nil, usage(codeListLong)
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		id := hallsync.HallID(strings.TrimSpace(text))
		switch {
		case id == "":
		case !known(id):
			return nil, usage(codeNoHall, "hall", string(id))
		case !slices.Contains(halls, id):
			halls = append(halls, id)
		}
	}
	return halls, lines.Err()
}

// provision makes a file for each hall, which nobody but its owner may read: it holds a code.
func provision(cmd *cobra.Command, cfg config.Config, r *pki.Register, halls []hallsync.HallID, out string) error {
	if err := os.MkdirAll(out, 0o700); err != nil {
		return err
	}
	for _, hall := range halls {
		until := time.Now().Add(provisionValid)
		code, err := r.NewCode(cmd.Context(), hall, "", provisionValid, pki.Actor{Name: operator(), By: access.ByCommand})
		if err != nil {
			return err
		}
		file, err := hallsync.Provision{Code: code, Until: until.UTC().Truncate(time.Second), Addresses: cfg.Edge.Addresses()}.Encode()
		if err != nil {
			return err
		}
		if err := whole.Write(filepath.Join(out, string(hall)+".json"), append(file, '\n')); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d 个大厅的接入文件在 %s，用完请删掉。\n", len(halls), out)
	return err
}

func renewalsCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "renewals", Short: "列出证书已过期、等待批准换证的大厅；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withRegister(cmd, *path, false, func(_ config.Config, r *pki.Register) error {
				waiting, err := r.Renewals(cmd.Context())
				if err != nil {
					return err
				}
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, w := range waiting {
					state := "等待批准"
					if !w.Approved.IsZero() {
						state = "已由 " + w.ApprovedBy + " 批准，等设备来取"
					}
					fmt.Fprintf(table, "%s\t申请 %s\t%s\t来自 %s\t%s\n", w.Hall, w.Name(), w.Asked.Format(time.DateTime), w.Remote, state)
				}
				return table.Flush()
			})
		},
	}
}

func quarantinesCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "quarantines", Short: "列出被隔离的大厅和原因；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withRegister(cmd, *path, false, func(_ config.Config, r *pki.Register) error {
				kept, err := r.Quarantines(cmd.Context())
				if err != nil {
					return err
				}
				reasons := map[string]string{"clone": "像是有两台设备在用同一个身份", "forked": "设备签过两条不同的日志链"}
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, q := range kept {
					fmt.Fprintf(table, "%s\t%s\t%s\n", q.Hall, q.Since.Format(time.DateTime), cmp.Or(reasons[q.Reason], q.Reason))
				}
				return table.Flush()
			})
		},
	}
}

// onHall gives a command that does something to one hall. A name that the configuration does not know is taken too: certificates outlive it.
func onHall(path *string, use, short, done string, do func(cmd *cobra.Command, r *pki.Register, hall hallsync.HallID, by pki.Actor) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " 大厅编码", Short: short + "；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRegister(cmd, *path, false, func(_ config.Config, r *pki.Register) error {
				if err := do(cmd, r, hallsync.HallID(args[0]), pki.Actor{Name: operator(), By: access.ByCommand}); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), done)
				return err
			})
		},
	}
}

func approveCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "approve 大厅编码 申请号", Short: "批准一个大厅换证，申请号见 renewals；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRegister(cmd, *path, false, func(_ config.Config, r *pki.Register) error {
				if err := r.Approve(cmd.Context(), hallsync.HallID(args[0]), args[1], pki.Actor{Name: operator(), By: access.ByCommand}); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "已批准，设备下次来问时就会拿到新证书。")
				return err
			})
		},
	}
}

func releaseCommand(path *string) *cobra.Command {
	return onHall(path, "release", "解除一个大厅的隔离；先找出多余的那台设备", "已解除隔离。",
		func(cmd *cobra.Command, r *pki.Register, hall hallsync.HallID, by pki.Actor) error {
			return r.Release(cmd.Context(), hall, by)
		})
}

func revokeCommand(path *string) *cobra.Command {
	var reason string
	cmd := onHall(path, "revoke", "吊销一个大厅的全部证书，在线的连接马上断开；centre 是中心自己的", "已吊销。",
		func(cmd *cobra.Command, r *pki.Register, hall hallsync.HallID, by pki.Actor) error {
			if reason == "" {
				return usage(codeFlag, "flag", "--reason")
			}
			n, err := r.Revoke(cmd.Context(), string(hall), reason, by)
			if err == nil && n == 0 {
				return usage(codeNothing, "hall", string(hall))
			}
			return err
		})
	cmd.Flags().StringVar(&reason, "reason", "", "原因，记入审计")
	return cmd
}
