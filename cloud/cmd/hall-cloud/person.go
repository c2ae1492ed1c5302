package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/whole"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/person"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// The sentences of the commands about persons.
const (
	codePersonNobody problem.Code = "person_nobody"
	codePersonReason problem.Code = "person_reason"
)

// maxNumber bounds the line that a number is read from.
const maxNumber = 64

// asked is whom a command about a person is about, and where.
type asked struct {
	halls  []string
	digest string
	reason string
}

func personCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "person", Short: "查阅、导出、删除一个人的个人信息（《个人信息保护法》第四十五、四十七条）", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	sub := func(use, short string, args cobra.PositionalArgs, run func(*cobra.Command, *sealedData, asked, []string) error) *cobra.Command {
		var a asked
		c := &cobra.Command{
			Use: use, Short: short + "；证件号码从标准输入读一行", Args: command.Args(args),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withSealed(cmd, *path, store.Options{Shared: true}, func(s *sealedData) error { return run(cmd, s, a, args) })
			},
		}
		c.Flags().StringSliceVar(&a.halls, "hall", nil, "只查这些大厅；不写就是全部")
		c.Flags().StringVar(&a.digest, "digest", "", "已知的人员代号；写了就不读证件号码")
		if strings.HasPrefix(use, "erase") {
			c.Flags().StringVar(&a.reason, "reason", "", "为什么删除，例如申请书的编号；必填，不要写个人信息")
		}
		return c
	}
	cmd.AddCommand(
		sub("find", "查哪些大厅有这个人的信息", cobra.NoArgs, findPerson),
		sub("export 文件", "把这个人的信息导出到新文件（JSON）", cobra.ExactArgs(1), exportPerson),
		sub("erase", "删除这个人的信息，并命令大厅删除", cobra.NoArgs, erasePerson),
	)
	return cmd
}

// eachHall hands the halls that are asked about to do, with the digests under which each may know the person.
func (a asked) eachHall(cmd *cobra.Command, s *sealedData, do func(hall hallsync.HallID, digests []string) error) error {
	number := ""
	if a.digest == "" {
		line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), maxNumber)).ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if number = strings.TrimSpace(line); number == "" {
			return usage(codePersonNobody)
		}
	}
	for _, h := range s.cfg.Halls {
		if len(a.halls) > 0 && !slices.Contains(a.halls, string(h.Code)) {
			continue
		}
		digests := []string{a.digest}
		if number != "" {
			var err error
			if digests, err = s.persons.Digests(cmd.Context(), h.Code, number); err != nil {
				return err
			}
		}
		if err := do(h.Code, digests); err != nil {
			return err
		}
	}
	return nil
}

// look finds a person everywhere that is asked about, and writes down that somebody did.
func (a asked) look(cmd *cobra.Command, s *sealedData, action string) ([]person.Found, error) {
	found := []person.Found{}
	err := a.eachHall(cmd, s, func(hall hallsync.HallID, digests []string) error {
		f, err := s.persons.Find(cmd.Context(), hall, digests)
		if err != nil {
			return err
		}
		found = append(found, f)
		return s.persons.Note(cmd.Context(), person.Actor{Name: operator(), By: access.ByCommand}, action, hall)
	})
	return found, err
}

func findPerson(cmd *cobra.Command, s *sealedData, a asked, _ []string) error {
	found, err := a.look(cmd, s, store.ActionPersonFind)
	if err != nil {
		return err
	}
	for _, f := range found {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "大厅 %s：%d 条，另有 %d 条已经打不开。\n", f.Hall, len(f.Facts), f.Unread); err != nil {
			return err
		}
	}
	return nil
}

func exportPerson(cmd *cobra.Command, s *sealedData, a asked, args []string) error {
	if _, err := os.Lstat(args[0]); err == nil {
		return fmt.Errorf("export to %s: %w", args[0], os.ErrExist)
	}
	found, err := a.look(cmd, s, store.ActionPersonExport)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return err
	}
	file, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	if err := whole.Write(file, append(raw, '\n')); err != nil {
		return err
	}
	facts := 0
	for _, f := range found {
		facts += f.Unread
	}
	return unread(cmd, facts, "导出的文件里没有它们")
}

func erasePerson(cmd *cobra.Command, s *sealedData, a asked, _ []string) error {
	if strings.TrimSpace(a.reason) == "" {
		return usage(codePersonReason)
	}
	passed := 0 // facts that nobody can read, of halls that are not told
	err := a.eachHall(cmd, s, func(hall hallsync.HallID, digests []string) error {
		if len(a.halls) == 0 { // a hall that is named is told even if the centre knows of nothing
			found, err := s.persons.Find(cmd.Context(), hall, digests)
			if err != nil {
				return err
			}
			if len(found.Facts) == 0 {
				passed += found.Unread
				return nil
			}
		}
		if len(digests) == 0 { // the hall has no index: nobody is in it
			return nil
		}
		order, err := s.persons.Erase(cmd.Context(), person.Actor{Name: operator(), By: access.ByCommand}, a.reason, hall, digests)
		if err != nil {
			return err
		}
		if _, err = fmt.Fprintf(cmd.OutOrStdout(), "大厅 %s：中心删除了 %d 条的内容，命令 %s 等大厅执行。\n", hall, order.Facts, order.ID); err != nil {
			return err
		}
		return unread(cmd, order.Unread, "大厅收到命令后，自己那一份自己查")
	})
	if err != nil {
		return err
	}
	return unread(cmd, passed, "它们所在的大厅没有收到命令；要大厅自己再查，用 --hall 写明大厅再做一次")
}

// unread says how many facts nobody could look into, and what follows from it.
func unread(cmd *cobra.Command, facts int, follows string) error {
	if facts == 0 {
		return nil
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "有 %d 条打不开（密钥还没有报来，或者期限到了已经销毁），里面有没有这个人，中心不知道。%s。\n", facts, follows)
	return err
}
