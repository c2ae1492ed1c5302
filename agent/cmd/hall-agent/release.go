package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/spf13/cobra"

	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/release"
)

// What keeps an older release out that somebody wants to be let in.
const (
	codeReleaseRoot    problem.Code = "release_root"    // only root may
	codeReleaseJournal problem.Code = "release_journal" // reason
)

func releaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "release", Short: "发布清单：签名，安装前和启动时核验", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(releaseVerifyCommand(), releaseSignCommand(), releaseHealthyCommand())
	return cmd
}

func releaseVerifyCommand() *cobra.Command {
	var key, root, older string
	var isInstalled bool
	cmd := &cobra.Command{
		Use: "verify [目录]", Short: "安装以前核验目录里的发布，或者用 --installed 核验已经装好的", Args: command.Args(cobra.MaximumNArgs(1)),
		Long: "安装以前：hall-agent release verify --key release.pub 目录。看清单是不是发布方签的，版本是不是不比最低版本旧，文件有没有变过。\n" +
			"装好以后：hall-agent release verify --installed。公钥放在 /" + ops.ReleaseKey + "，每次启动都这样核对。\n" +
			"要装回旧版本：root 加上 --allow-older 原因，原因记进系统日志，最低版本改成那个旧版本。",
		RunE: func(cmd *cobra.Command, args []string) error {
			v := verification{cmd: cmd, root: root, older: older, log: toJournal}
			switch {
			case isInstalled && len(args) == 0 && key == "":
				return v.installed()
			case !isInstalled && len(args) == 1 && key != "":
				return v.packages(args[0], key)
			}
			return command.BadUsage(errors.New("写 --key 公钥 目录，或者只写 --installed"))
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "发布方的 SM2 公钥（PEM）")
	cmd.Flags().BoolVar(&isInstalled, "installed", false, "核验已经装好的程序")
	cmd.Flags().StringVar(&root, "root", "/", "文件系统的根，装在别处的系统盘时用")
	cmd.Flags().StringVar(&older, "allow-older", "", "允许比最低版本旧，写明原因（只有 root 可以）")
	return cmd
}

func releaseSignCommand() *cobra.Command {
	var key, number, root string
	cmd := &cobra.Command{
		Use: "sign 文件…", Short: "给文件写一份签名的清单（发布方用）", Args: command.Args(cobra.MinimumNArgs(1)),
		Long: "给同一目录里的安装包写清单：hall-agent release sign --key 私钥 --number 版本 包…\n" +
			"给包里要装的文件写清单，--root 是解开的包，文件写成它下面的路径：hall-agent release sign --key 私钥 --number 版本 --root 目录 usr/bin/hall-agent …",
		RunE: func(_ *cobra.Command, args []string) error { return signRelease(args, number, key, root) },
	}
	cmd.Flags().StringVar(&key, "key", "", "发布方的 SM2 私钥（PEM）")
	cmd.Flags().StringVar(&number, "number", "", "版本号")
	cmd.Flags().StringVar(&root, "root", "", "包里要装的文件所在的目录")
	_ = cmd.MarkFlagRequired("key") // the flags are there
	_ = cmd.MarkFlagRequired("number")
	return cmd
}

// healthyCommand is what the service runs as root once the hall can be used.
func releaseHealthyCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use: "healthy", Short: "记下这个版本能正常运行，从此不装更旧的（服务启动好以后自己执行）", Args: command.Args(cobra.NoArgs),
		RunE: func(_ *cobra.Command, _ []string) error {
			is, err := ops.CheckInstalled(root)
			if err != nil || is.Version == "" {
				return err
			}
			return release.Raise(root, is.Version)
		},
	}
	cmd.Flags().StringVar(&root, "root", "/", "文件系统的根")
	return cmd
}

// verification is one question whether a release is good.
type verification struct {
	cmd         *cobra.Command
	root, older string
	log         func(line string) error // to the system's log
}

// packages looks at a release that is to be installed.
func (v verification) packages(dir, file string) error {
	key, err := ops.ReadReleaseKey(file)
	if err != nil {
		return command.BadUsage(err)
	}
	floor, err := release.ReadFloor(v.root)
	if err != nil { // it counts as none
		fmt.Fprintln(v.cmd.ErrOrStderr(), err)
	}
	least := floor.Version
	if least == "" || release.Newer(version, least) {
		least = version
	}
	m, err := release.Verify(dir, least, key)
	var bad *release.Error
	if errors.As(err, &bad) && bad.Code == release.Older && v.older != "" {
		if m, err = release.Verify(dir, "", key); err == nil {
			err = v.lower(m.Version, least)
		}
	}
	if errors.As(err, &bad) {
		return &ops.Error{Code: problem.Code(bad.Code), Args: map[string]string{"file": bad.File, "version": bad.Version, "floor": bad.Floor}, Err: err}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(v.cmd.OutOrStdout(), "可以安装：版本 %s，%d 个文件，签名和内容都对\n", m.Version, len(m.Files))
	return err
}

// installed looks at what is installed.
func (v verification) installed() error {
	is, err := ops.CheckInstalled(v.root)
	var bad *release.Error
	if errors.As(err, &bad) && bad.Code == release.Older && v.older != "" {
		if err = v.lower(bad.Version, bad.Floor); err == nil {
			is, err = ops.CheckInstalled(v.root)
		}
	}
	if err != nil {
		return err
	}
	text := "版本 " + is.Version + "，和发布方签的一样"
	if is.Version == "" {
		text = "没有核对：没有发布方的公钥 " + filepath.Join(v.root, ops.ReleaseKey)
	}
	_, err = fmt.Fprintln(v.cmd.OutOrStdout(), text)
	return err
}

// lower lets an older version in, for a reason that the system's log keeps: without that log nothing is let in.
func (v verification) lower(to, from string) error {
	if !ops.OwnsRoot(v.root) {
		return &ops.Error{Code: codeReleaseRoot, Err: errors.New("not root")}
	}
	if err := v.log(fmt.Sprintf("older release allowed: version=%s floor=%s reason=%q", to, from, v.older)); err != nil {
		return &ops.Error{Code: codeReleaseJournal, Args: map[string]string{"reason": err.Error()}, Err: err}
	}
	return release.Floor{Version: to, Reason: v.older}.Keep(v.root)
}

func toJournal(line string) error {
	return journal.Send(line, journal.PriWarning, map[string]string{"SYSLOG_IDENTIFIER": "hall-agent"})
}

func signRelease(files []string, number, file, root string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return badKey(file, err)
	}
	key, err := gm.ParsePrivateKey(string(text))
	if err != nil {
		return badKey(file, err)
	}
	if root != "" {
		return release.SignInstalled(root, number, files, key)
	}
	dir := filepath.Dir(files[0])
	var names []string
	for _, f := range files {
		if filepath.Dir(f) != dir {
			return command.BadUsage(fmt.Errorf("文件要在同一个目录里：%s", f))
		}
		names = append(names, filepath.Base(f))
	}
	return release.Sign(dir, number, names, key)
}

func badKey(file string, err error) error {
	return command.BadUsage(&ops.Error{Code: ops.CodeReleaseKey, Args: map[string]string{"path": file}, Err: err})
}

// checkStart tells whether what is installed may start. What is not what its maker signed stays so: no use in trying again, unless the disk did
// not let itself be read.
func checkStart(root string, stderr io.Writer) error {
	is, err := ops.CheckInstalled(root)
	if is.Unread != nil { // it counts as none
		fmt.Fprintln(stderr, is.Unread)
	}
	var unread *fs.PathError
	if err == nil || errors.As(err, &unread) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return command.BadUsage(err)
}
