package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/whole"
	"halledge/firmware-protocols/hallsync"
)

func journalCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{Use: "journal", Short: "日志库：核验、统计、导出、备份（先停服务）", Args: command.Args(cobra.NoArgs)}
	cmd.AddCommand(
		verifyCommand(path),
		&cobra.Command{Use: "stats", Short: "条数、已上报到哪里、文件大小（JSON）", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withJournal(cmd, *path, func(s *store.Store) error {
					st, err := s.Verify()
					if err != nil {
						return inWords(err)
					}
					return json.NewEncoder(cmd.OutOrStdout()).Encode(st)
				})
			}},
		&cobra.Command{Use: "export", Short: "每行一条事实（JSON），内容照库里的原样，多为密文", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withJournal(cmd, *path, func(s *store.Store) error { return export(cmd, s) })
			}},
		&cobra.Command{Use: "backup FILE", Short: "备份到文件（密钥不在里面）", Args: command.Args(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withJournal(cmd, *path, func(s *store.Store) error { return backup(cmd.OutOrStdout(), s, args[0]) })
			}},
		&cobra.Command{Use: "restore FILE", Short: "从备份恢复；现在的库改名留着", Args: command.Args(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error { return restore(cmd, *path, args[0]) }},
	)
	return cmd
}

func verifyCommand(path *string) *cobra.Command {
	var file, key string
	cmd := &cobra.Command{
		Use: "verify", Short: "逐条核验，指出第一处错误", Args: command.Args(cobra.NoArgs),
		Long: "逐条核验日志链、签名、回执和文件结构，指出第一处错误，有错时退出码是 1。\n" +
			"用 --file 可以核验一份拷贝，不需要配置和密钥：只看链，不看内容和签名。加上 --key（中心的解密私钥），连每条的验证码一起核验。",
		RunE: func(cmd *cobra.Command, _ []string) error {
			holders, err := holdersIn(key)
			if err != nil {
				return err
			}
			check := func(s *store.Store) error {
				st, err := s.Verify(holders...)
				if err != nil {
					return inWords(err)
				}
				report(cmd.OutOrStdout(), st, len(holders) > 0)
				return nil
			}
			if file == "" {
				return withJournal(cmd, *path, check)
			}
			s, err := store.OpenFile(file, store.Options{Delivered: uplink.CursorName})
			if err != nil {
				return err
			}
			return errors.Join(check(s), s.Close())
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "核验这份拷贝，不是本机的库")
	cmd.Flags().StringVar(&key, "key", "", "中心解密私钥的文件（PEM）")
	return cmd
}

func holdersIn(file string) ([]gm.PrivateKey, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, command.BadUsage(err)
	}
	k, err := gm.ParsePrivateKey(string(text))
	if err != nil {
		return nil, command.BadUsage(fmt.Errorf("%s 不是一把可用的 SM2 私钥：%w", file, err))
	}
	return []gm.PrivateKey{k}, nil
}

// report says what was verified, and what was not.
func report(w io.Writer, st store.Stats, codes bool) {
	fmt.Fprintf(w, "完好：第 %d 条到第 %d 条，共 %d 条；其中 %d 条在链上", st.First, st.Next-1, st.Facts, st.Chained)
	if st.Erased > 0 {
		fmt.Fprintf(w, "，%d 条的内容已依令删除", st.Erased)
	}
	if st.Received > 0 {
		fmt.Fprintf(w, "；中心的回执到第 %d 条", st.Received)
	}
	fmt.Fprintln(w)
	if st.Sealed > 0 {
		fmt.Fprintf(w, "没有密钥：%d 条的内容没有打开看\n", st.Sealed)
	}
	if !codes && st.Chained > 0 {
		fmt.Fprintln(w, "逐条的验证码要用中心的私钥才能核验（--key）")
	}
}

// faultWords say what is wrong with an entry of the chain.
var faultWords = map[chain.Kind]string{
	chain.Changed:          "被改动过",
	chain.Missing:          "不见了",
	chain.Disordered:       "次序不对，或者重复",
	chain.CutOff:           "以后的记录被截掉了，或者这是一份旧的拷贝",
	chain.Added:            "是后来添上去的",
	chain.Rewritten:        "被改写过，连校验值也改了",
	chain.Forked:           "和签过名的、中心收到的不是同一条",
	chain.ForgedCheckpoint: "的检查点不是本机签的",
	chain.ForgedReceipt:    "的回执不是中心签的",
	chain.OtherSegment:     "的检查点或回执属于另一段日志",
	chain.Unordered:        "的内容被删掉了，却没有删除令",
	store.EndLost:          "处日志链的末端不见了，或者打不开",
}

// faultError is a fault of the chain in words.
type faultError struct{ *chain.Fault }

func (e *faultError) Error() string {
	what := faultWords[e.Kind]
	if e.Last > e.Number {
		return fmt.Sprintf("日志有问题：第 %d 条到第 %d 条%s（%s）", e.Number, e.Last, what, e.Kind)
	}
	return fmt.Sprintf("日志有问题：第 %d 条%s（%s）", e.Number, what, e.Kind)
}

func (e *faultError) Unwrap() error { return e.Fault }

func inWords(err error) error {
	var f *chain.Fault
	if errors.As(err, &f) {
		return &faultError{f}
	}
	return err
}

// withJournal opens the box's log to look at it. Without its keys, what is sealed stays so.
func withJournal(cmd *cobra.Command, path string, do func(*store.Store) error) error {
	cfg, err := load(cmd, path)
	if err != nil {
		return err
	}
	o, noKeys := journalOptions(cfg)
	s, err := store.OpenReadOnly(cfg.Site.Data, o)
	if err != nil {
		return err
	}
	if noKeys != nil && s.Sealed() {
		fmt.Fprintf(cmd.ErrOrStderr(), "密钥用不了，内容打不开（请用 sudo -u hall-agent 运行）：%v\n", noKeys)
	}
	return errors.Join(do(s), s.Close())
}

// journalOptions gives the box's options of the log, and why it is without keys.
func journalOptions(cfg *config.Config) (store.Options, error) {
	site := &cfg.Site
	o := store.Options{Hall: hallsync.HallID(site.Hall.Code), Delivered: uplink.CursorName}
	id, err := identity.OpenReadOnly(filepath.Join(site.Data, identity.Directory), identity.Options{
		Hall: o.Hall, Credentials: os.Getenv("CREDENTIALS_DIRECTORY"), Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		o.Keys = store.Keys{Storage: id.Storage(), Signer: id.Signer(), Centre: id.Centre, Receipts: id.Receipts}
	}
	return o, err
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

// backup writes the database to a file that is there as a whole or not at all.
func backup(w io.Writer, s *store.Store, file string) error {
	if err := place(file, s.Backup); err != nil {
		return err
	}
	fmt.Fprintf(w, "已备份到 %s\n密钥不在里面。没有本机的密钥目录 %s，这份备份谁也打不开（中心除外）：请另外备份，和这个文件分开放。\n", file, identity.Directory)
	return nil
}

// place writes a file under another name, brings it to the disk and puts it in its place.
func place(file string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), whole.Unfinished) // of mode 0600
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return whole.Sync(filepath.Dir(file))
}

// restore puts a backup in the place of the database of an agent that does not run.
func restore(cmd *cobra.Command, path, file string) (err error) {
	cfg, err := load(cmd, path)
	if err != nil {
		return err
	}
	held, err := store.Lock(cfg.Site.Data) // no agent may begin a database meanwhile
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	o, noKeys := journalOptions(cfg)
	from, err := store.OpenFile(file, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if from.Sealed() && noKeys != nil {
		return &store.Error{Op: "restore", Code: store.Sealed, Err: noKeys}
	}
	if _, err := from.Verify(); err != nil {
		return inWords(err)
	}
	to := filepath.Join(cfg.Site.Data, store.FileName)
	owner, err := os.Stat(cfg.Site.Data)
	if err != nil {
		return err
	}
	if err := putAway(to, o); err != nil {
		return err
	}
	if err := place(to, from.Backup); err != nil {
		return err
	}
	if stat, ok := owner.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(to, int(stat.Uid), int(stat.Gid)); err != nil {
			return err
		}
	}
	fmt.Fprintln(cmd.OutOrStdout(), "已恢复。备份之后的记录不在里面：启动后会提示，今天的号从下一个整千往后给，连上中心后自动另起一段日志。")
	return nil
}

// putAway gives the database another name, unless an agent has it open.
func putAway(file string, o store.Options) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := store.OpenFile(file, o)
	var own *store.Error
	switch {
	case errors.As(err, &own) && own.Code == store.Locked:
		return err
	case err == nil: // or else it cannot be read, which may be why there is a backup
		if err := s.Close(); err != nil {
			return err
		}
	}
	return os.Rename(file, file+".before-"+time.Now().UTC().Format("20060102T150405"))
}
