package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/problem"
	"halledge/cloud"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/journal"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

func journalCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "journal", Short: "大厅的日志和中心的审计", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var hall string
	var audit bool
	verify := &cobra.Command{
		Use: "verify", Short: "核对存下的事实、它们的散列和防篡改链，指出第一条不对的；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := withSealed(cmd, *path, store.Options{Shared: true}, func(s *sealedData) error {
				a := journal.Auditor{Store: s.store, Vault: s.vault, Signers: func(ctx context.Context, hall hallsync.HallID) ([]gm.PublicKey, error) {
					return cloud.Signers(ctx, s.store, hall)
				}}
				if audit {
					return verifyAudit(cmd, a)
				}
				return verifyHalls(cmd, s.store, &a, hallsync.HallID(hall))
			})
			var fault *vault.Fault
			if errors.As(err, &fault) && fault.Code == vault.CodeMissing && !audit { // there never were keys, and so no chains
				return withStore(cmd, *path, store.Options{Shared: true}, func(st *store.Store) error {
					return verifyHalls(cmd, st, nil, hallsync.HallID(hall))
				})
			}
			return err
		},
	}
	verify.Flags().StringVar(&hall, "hall", "", "只核对这个大厅；不写就是全部")
	verify.Flags().BoolVar(&audit, "audit", false, "核对中心的审计记录")
	cmd.AddCommand(verify, acknowledgeCommand(path))
	return cmd
}

// The sentences of the command.
const (
	codeChainReason problem.Code = "chain_reason"
	codeChainHall   problem.Code = "chain_hall"
)

// maxReason bounds why something was acknowledged, in characters.
const maxReason = 200

func acknowledgeCommand(path *string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "acknowledge 大厅", Short: "查清以后，确认一个大厅的 chain_broken 告警；再有不一致时会重新告警", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason = strings.TrimSpace(reason); reason == "" || utf8.RuneCountInString(reason) > maxReason {
				return usage(codeChainReason, "max", strconv.Itoa(maxReason))
			}
			return withStore(cmd, *path, store.Options{Shared: true}, func(st *store.Store) error {
				return acknowledge(cmd, st, hallsync.HallID(args[0]), reason)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "查到的原因，例如换过设备；必填，不要写个人信息")
	return c
}

func acknowledge(cmd *cobra.Command, st *store.Store, hall hallsync.HallID, reason string) error {
	cursors, err := st.Cursors(cmd.Context(), hall)
	if err != nil {
		return err
	}
	if len(cursors) == 0 {
		return usage(codeChainHall, "hall", string(hall))
	}
	found := 0
	err = st.Write(cmd.Context(), func(tx *store.Tx) (err error) {
		now := time.Now()
		if found, err = tx.AcknowledgeChain(hall, reason, now); err != nil || found == 0 {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: operator(), By: access.ByCommand, Action: store.ActionChainKnown, Subject: string(hall), Result: "ok"})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "大厅 %s：确认了 %d 处。\n", hall, found)
	return err
}

// wrongs says in words what is wrong with an entry.
func wrongs(kind string) string {
	words := map[string]string{
		string(chain.Changed): "内容被改动", string(chain.Missing): "缺失", string(chain.Disordered): "次序不对", string(chain.CutOff): "末尾被截去",
		string(chain.Added): "多出来的", string(chain.Rewritten): "被改写", string(chain.Forked): "和大厅签过名的不一致",
		string(chain.ForgedCheckpoint): "签名不是大厅的", string(chain.OtherSegment): "签名属于另一段",
		string(chain.Unordered): "没有依据就被抹去",
	}
	if text := words[kind]; text != "" {
		return text
	}
	return kind
}

func span(f chain.Fault) string {
	if f.Last > f.Number {
		return fmt.Sprintf("%d–%d", f.Number, f.Last)
	}
	return fmt.Sprint(f.Number)
}

func verifyHalls(cmd *cobra.Command, st *store.Store, a *journal.Auditor, hall hallsync.HallID) error {
	v, err := st.Verify(cmd.Context(), hall)
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
	bad := len(v.Faults)
	if a != nil {
		wrong, err := verifyChains(cmd, *a, hall)
		if err != nil {
			return err
		}
		bad += wrong
	}
	if _, err := fmt.Fprintf(out, "%d 个大厅，%d 条事实，其中拒收 %d 条，有问题 %d 条。\n", v.Halls, v.Events, v.Refused, bad); err != nil {
		return err
	}
	if bad > 0 {
		return &command.Error{Code: command.Failure}
	}
	return nil
}

// verifyChains does so with the chains of a hall, of all halls if none is named, and counts what is wrong.
func verifyChains(cmd *cobra.Command, a journal.Auditor, hall hallsync.HallID) (int, error) {
	cursors, err := a.Store.AllCursors(cmd.Context())
	if err != nil {
		return 0, err
	}
	bad := 0
	var done []hallsync.HallID
	for _, c := range cursors {
		if slices.Contains(done, c.Hall) || hall != "" && c.Hall != hall {
			continue
		}
		done = append(done, c.Hall)
		wrong, err := verifyChain(cmd, a, c.Hall)
		if err != nil {
			return bad, err
		}
		bad += wrong
	}
	return bad, nil
}

// verifyChain prints what is wrong with the chains of a hall, and counts it.
func verifyChain(cmd *cobra.Command, a journal.Auditor, hall hallsync.HallID) (int, error) {
	r, err := a.Hall(cmd.Context(), hall)
	if err != nil {
		return 0, err
	}
	out := cmd.OutOrStdout()
	for _, f := range r.Faults {
		if _, err := fmt.Fprintf(out, "大厅 %s 纪元 %s 序号 %s：%s\n", hall, f.Epoch, span(f.Fault), wrongs(string(f.Kind))); err != nil {
			return 0, err
		}
	}
	open := 0
	for _, f := range r.Noted {
		known := ""
		if f.Known.IsZero() {
			open++
		} else {
			known = fmt.Sprintf("，%s 已确认：%s", f.Known.Format(time.DateOnly), f.Reason)
		}
		if _, err := fmt.Fprintf(out, "大厅 %s 纪元 %s 序号 %d：收到时已发现（%s）%s\n", hall, f.Epoch, f.Seq, wrongs(f.Kind), known); err != nil {
			return 0, err
		}
	}
	if r.Segments > 0 {
		_, err = fmt.Fprintf(out, "大厅 %s：防篡改链 %d 段 %d 条，其中已抹去 %d 条，大厅签到序号 %d。\n", hall, r.Segments, r.Entries, r.Erased, r.Signed)
	}
	return len(r.Faults) + open, err
}

func verifyAudit(cmd *cobra.Command, a journal.Auditor) error {
	found, err := a.Audit(cmd.Context())
	var fault *chain.Fault
	out := cmd.OutOrStdout()
	if errors.As(err, &fault) {
		if _, err := fmt.Fprintf(out, "审计第 %s 条：%s\n", span(*fault), wrongs(string(fault.Kind))); err != nil {
			return err
		}
		return &command.Error{Code: command.Failure}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "审计 %d 条没有问题，其中签过名的到第 %d 条。\n", found.Entries, found.Vouched)
	return err
}
