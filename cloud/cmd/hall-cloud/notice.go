package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/problem"
	"halledge/cloud"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// The sentences of the notice commands.
const (
	codeNoticeHalls problem.Code = "notice_halls" // no hall is named
	codeNoticeTime  problem.Code = "notice_time"  // value
	codeNoticeNone  problem.Code = "notice_none"  // nothing is shown there
)

// screensOf are the screens that a command is about.
type screensOf struct {
	halls  []string
	region string
	group  string
}

func (s *screensOf) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&s.halls, "hall", nil, "大厅编码，可以写几个，用逗号隔开")
	cmd.Flags().StringVar(&s.region, "region", "", "大厅编码的开头几位：这个地区的全部大厅")
	cmd.Flags().StringVar(&s.group, "group", "hall", "屏幕组，和大厅设置里屏幕的 group 一致")
}

// of gives the halls, all of which the configuration knows.
func (s *screensOf) of(cfg config.Config) (halls []hallsync.HallID, err error) {
	known := map[hallsync.HallID]bool{}
	for _, h := range cfg.Halls {
		known[h.Code] = true
		if s.region != "" && strings.HasPrefix(string(h.Code), s.region) {
			halls = append(halls, h.Code)
		}
	}
	for _, h := range s.halls {
		if !known[hallsync.HallID(h)] {
			return nil, usage(codeNoHall, "hall", h)
		}
		halls = append(halls, hallsync.HallID(h))
	}
	if len(halls) == 0 {
		return nil, usage(codeNoticeHalls)
	}
	return halls, nil
}

func noticeCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "notice", Short: "大厅屏幕上的公告：签名发布、撤回；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(noticePublish(path), noticeWithdraw(path), noticeList(path), noticeExport(path), noticeKey())
	return cmd
}

func noticePublish(path *string) *cobra.Command {
	var on screensOf
	var from, until string
	cmd := &cobra.Command{
		Use: "publish 文件…", Short: "发布公告：PNG、JPEG 图片和 UTF-8 文字（第一行是标题），按写的先后轮播，换掉这组屏幕原来的公告",
		Args: command.Args(cobra.RangeArgs(1, bundle.MaxItems)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withNotices(cmd, *path, func(cfg config.Config, st *store.Store, _ *notices.Desk) error {
				o, err := noticeOrder(cfg, on, from, until, args)
				if err != nil {
					return err
				}
				key, err := cloud.ContentKey(cfg, func() (*vault.Vault, error) { return cloud.OpenVault(cmd.Context(), st, cfg, false) })
				if err != nil {
					return err
				}
				d := notices.New(notices.Options{Store: st, Content: key, Now: time.Now})
				if err := d.Publish(cmd.Context(), o, noticeActor()); err != nil {
					return err
				}
				return errors.Join(told(cmd, "已发布到 %d 个大厅，%s 到 %s\n", len(o.Halls), clock(o.From), clock(o.Until)), warnOfGroup(cmd, st, o))
			})
		},
	}
	on.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "从什么时候起显示，例如 2026-10-01 或 2026-10-01 08:30；不写就是现在")
	cmd.Flags().StringVar(&until, "until", "", "显示到什么时候为止，必须写，最长 400 天")
	return cmd
}

// told says a line.
func told(cmd *cobra.Command, format string, args ...any) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format, args...)
	return err
}

// warnOfGroup names the halls that have no screen of the group, as far as they have said which they have.
func warnOfGroup(cmd *cobra.Command, st *store.Store, o notices.Order) error {
	reports, err := reportsOf(cmd, st)
	if err != nil {
		return err
	}
	var without []string
	for _, hall := range o.Halls {
		if is, said := notices.At(reports[hall], o.Group); said && is.Screens == 0 {
			without = append(without, string(hall))
		}
	}
	if len(without) == 0 {
		return nil
	}
	return told(cmd, "注意：%d 个大厅没有 %s 组的屏幕，那里不会显示：%s\n", len(without), o.Group, strings.Join(without, "、"))
}

// reportsOf reads what the halls reported last; the service writes it down every two minutes.
func reportsOf(cmd *cobra.Command, st *store.Store) (map[hallsync.HallID]*hallsync.Report, error) {
	seen, err := st.Presences(cmd.Context())
	if err != nil {
		return nil, err
	}
	reports := map[hallsync.HallID]*hallsync.Report{}
	for _, p := range seen {
		var r hallsync.Report
		if json.Unmarshal(p.Report, &r) == nil { // one that has not reported has an empty text
			reports[p.Hall] = &r
		}
	}
	return reports, nil
}

func noticeOrder(cfg config.Config, on screensOf, from, until string, files []string) (o notices.Order, err error) {
	if o.Halls, err = on.of(cfg); err != nil {
		return o, err
	}
	o.Group = on.group
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return o, err
	}
	o.From = time.Now().In(zone)
	if from != "" {
		if o.From, err = moment(from, zone); err != nil {
			return o, err
		}
	}
	if o.Until, err = moment(until, zone); err != nil {
		return o, err
	}
	for _, name := range files {
		data, err := readItem(name)
		if err != nil {
			return o, err
		}
		o.Files = append(o.Files, notices.File{Name: name, Data: data})
	}
	return o, nil
}

// readItem reads a file, and of one that is too large a little more than is taken.
func readItem(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, bundle.MaxItem+1))
	return data, errors.Join(err, f.Close())
}

// moment reads a day, which begins at midnight, or a minute of one.
func moment(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usage(codeNoticeTime, "value", text)
}

func clock(at time.Time) string { return at.Format("2006-01-02 15:04") }

func noticeWithdraw(path *string) *cobra.Command {
	var on screensOf
	cmd := &cobra.Command{
		Use: "withdraw", Short: "撤回公告：连着中心的大厅马上不再显示，别的大厅连上以后不再显示", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNotices(cmd, *path, func(cfg config.Config, _ *store.Store, d *notices.Desk) error {
				halls, err := on.of(cfg)
				if err != nil {
					return err
				}
				ended, err := d.Withdraw(cmd.Context(), halls, on.group, noticeActor())
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "已撤回 %d 个大厅的公告\n", len(ended))
				}
				return err
			})
		},
	}
	on.flags(cmd)
	return cmd
}

func noticeList(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "列出每个大厅、每组屏幕的公告", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNotices(cmd, *path, func(cfg config.Config, st *store.Store, d *notices.Desk) error {
				list, err := d.List(cmd.Context())
				if err != nil {
					return err
				}
				reports, err := reportsOf(cmd, st)
				if err != nil {
					return err
				}
				zone, err := time.LoadLocation(cfg.Zone)
				if err != nil {
					return err
				}
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, p := range list {
					m, err := p.Read()
					if err != nil {
						return err
					}
					until := "到 " + clock(m.Until.In(zone))
					if !p.Withdrawn.IsZero() {
						until = "撤回于 " + clock(p.Withdrawn.In(zone))
					}
					fmt.Fprintf(table, "%s\t%s\t第 %d 版\t%d 项\t%s\t%s 由 %s 发布\t%s\n", p.Hall, p.Group, p.Version, len(m.Items), until,
						clock(p.At.In(zone)), p.Actor, stateWords(p.Standing(m, reports[p.Hall], time.Now())))
				}
				return table.Flush()
			})
		},
	}
}

// stateWords is how a state is told, as the console does.
func stateWords(s notices.State) string {
	return map[notices.State]string{
		notices.Showing: "正在显示", notices.Waiting: "已送达，没到时间", notices.Pending: "还没送达", notices.Refused: "大厅没有采用", notices.Altered: "内容和签名不一样",
		notices.NoScreen: "没有这组屏幕", notices.Unknown: "大厅没有上报", notices.Expired: "已过期", notices.Withdrawing: "撤回中", notices.Withdrawn: "已撤回",
	}[s]
}

func noticeExport(path *string) *cobra.Command {
	var group string
	cmd := &cobra.Command{
		Use: "export 大厅编码 文件", Short: "导出一个大厅的公告包，给没有网络的大厅用 U 盘带去", Args: command.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withNotices(cmd, *path, func(_ config.Config, _ *store.Store, d *notices.Desk) (err error) {
				f, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
				if err != nil {
					return err
				}
				found, err := d.Archive(cmd.Context(), hallsync.HallID(args[0]), group, f)
				if err = errors.Join(err, f.Close()); err == nil && !found {
					err = usage(codeNoticeNone)
				}
				if err != nil {
					err = errors.Join(err, os.Remove(args[1]))
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&group, "group", "hall", "屏幕组")
	return cmd
}

func noticeKey() *cobra.Command {
	return &cobra.Command{
		Use: "key 文件", Short: "生成给公告签名的密钥，写进新文件；输出的公钥写进各大厅 agent.yaml 的 notices.keys", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := gm.GenerateKey()
			if err != nil {
				return err
			}
			text, err := key.PEM()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(filepath.Clean(args[0]), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = f.WriteString(text)
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key.Public())
			return err
		},
	}
}

func withNotices(cmd *cobra.Command, path string, do func(config.Config, *store.Store, *notices.Desk) error) error {
	cfg, err := load(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	st, err := store.Open(cmd.Context(), cfg.Database, store.Options{Shared: true})
	if err != nil {
		return err
	}
	return errors.Join(do(cfg, st, notices.New(notices.Options{Store: st, Now: time.Now})), st.Close())
}

func noticeActor() notices.Actor { return notices.Actor{Name: operator(), By: access.ByCommand} }
