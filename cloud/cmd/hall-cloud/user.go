package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

// maxPassword is in bytes. A little more is read, so that a longer one is noticed.
const maxPassword = 256

// maxInvitation is how long somebody may be invited for: who has not come by then is asked again.
const maxInvitation = 30 * 24 * time.Hour

func hashCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hash", Short: "从标准输入读一个密码，输出写进 cloud.yaml 的散列", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr(), "")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), phc.New(password))
			return err
		},
	}
}

// userOptions are what flags say of a user.
type userOptions struct{ fullName, roles, scope string }

func userCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "控制台的用户；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var o userOptions
	add := &cobra.Command{
		Use: "add 用户名", Short: "添加用户或重设密码，密码从标准输入读；他下次登录要改密码", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return addUser(cmd, *path, args[0], o) },
	}
	add.Flags().StringVar(&o.fullName, "full-name", "", "姓名，显示在控制台上")
	add.Flags().StringVar(&o.roles, "role", "", roleHelp+"；不写时新用户是 viewer，老用户不变")
	add.Flags().StringVar(&o.scope, "scope", "", scopeHelp+"；不写时新用户是 all，老用户不变")
	cmd.AddCommand(add,
		changeCommand(path, "role 用户名 角色", "换角色："+roleHelp, func(arg string) (access.Change, error) {
			roles, err := parseRoles(arg)
			return access.Change{Roles: &roles}, err
		}),
		changeCommand(path, "scope 用户名 范围", "换管辖范围："+scopeHelp, func(arg string) (access.Change, error) {
			scope, err := parseScope(arg)
			return access.Change{Scope: &scope}, err
		}),
		changeCommand(path, "disable 用户名", "停用用户，正在用的登录立即失效", func(string) (access.Change, error) {
			disabled := true
			return access.Change{Disabled: &disabled}, nil
		}),
		changeCommand(path, "enable 用户名", "重新启用停用的用户", func(string) (access.Change, error) {
			disabled := false
			return access.Change{Disabled: &disabled}, nil
		}),
		&cobra.Command{
			Use: "totp-reset 用户名", Short: "清除动态口令，例如手机丢了；他要重新绑定", Args: command.Args(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error {
				return change(cmd, *path, args[0], false, func(by access.Acting, tx *store.Tx) error { return by.ResetFactor(tx, args[0]) })
			},
		},
		certificateCommand(path),
		inviteCommand(path),
		&cobra.Command{
			Use: "unlink 用户名", Short: "解除和统一身份认证平台上那个人的绑定，他由此打开的登录立即失效", Args: command.Args(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error {
				return change(cmd, *path, args[0], false, func(by access.Acting, tx *store.Tx) error { return by.Unlink(tx, args[0]) })
			},
		},
		&cobra.Command{
			Use: "list", Short: "列出全部用户", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return listUsers(cmd, *path) },
		})
	return cmd
}

func inviteCommand(path *string) *cobra.Command {
	var valid time.Duration
	cmd := &cobra.Command{
		Use: "invite 用户名", Short: "邀请用户：他第一次经统一身份认证平台登录时，把平台上同名的人绑定到这个账号", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if valid <= 0 || valid > maxInvitation {
				return usage(config.NotAllowed, "value", valid.String(), "allowed", "1s–"+maxInvitation.String())
			}
			return change(cmd, *path, args[0], false, func(by access.Acting, tx *store.Tx) error { return by.Invite(tx, args[0], by.At.Add(valid)) })
		},
	}
	cmd.Flags().DurationVar(&valid, "valid", 7*24*time.Hour, "多长时间内有效")
	return cmd
}

const (
	roleHelp  = "viewer 看运行情况，clerk 大厅人员只看写明的大厅的队列和号票，manager 还看人员，maintainer 只看设备，auditor 看审计，video 看视频，admin 管用户；几个角色用逗号隔开"
	scopeHelp = "大厅编码的开头几位，例如 4409,440981；all 是全部大厅；clerk 要写完整的 15 位编码"
)

// changeCommand makes a command that changes one thing of a user; what comes after his name, if anything, says to what.
func changeCommand(path *string, use, short string, read func(arg string) (access.Change, error)) *cobra.Command {
	args := strings.Count(use, " ")
	return &cobra.Command{
		Use: use, Short: short, Args: command.Args(cobra.ExactArgs(args)),
		RunE: func(cmd *cobra.Command, given []string) error {
			c, err := read(given[len(given)-1])
			if err != nil {
				return err
			}
			return change(cmd, *path, given[0], true, func(by access.Acting, tx *store.Tx) error { return by.Change(tx, given[0], c) })
		},
	}
}

func parseRoles(text string) (rights.Roles, error) {
	roles, err := rights.ParseRoles(text)
	var unknown *rights.UnknownError
	if errors.As(err, &unknown) {
		return nil, usage(config.NotAllowed, "value", unknown.Name, "allowed", strings.Join(rights.Roles(rights.All()).Names(), ", "))
	}
	return roles, err
}

func parseScope(text string) (rights.Scope, error) {
	scope, err := rights.ParseScope(text)
	var bad *rights.PrefixError
	if errors.As(err, &bad) {
		return nil, usage(config.ScopePrefix, "value", bad.Text)
	}
	return scope, err
}

func addUser(cmd *cobra.Command, path, name string, o userOptions) error {
	var c access.Change
	if o.roles != "" {
		roles, err := parseRoles(o.roles)
		if err != nil {
			return err
		}
		c.Roles = &roles
	}
	if o.scope != "" {
		scope, err := parseScope(o.scope)
		if err != nil {
			return err
		}
		c.Scope = &scope
	}
	if cmd.Flags().Changed("full-name") {
		c.FullName = &o.fullName
	}
	if !config.ValidUserName(name) {
		return usage(config.UserName, "value", name)
	}
	cfg, err := load(path, cmd.ErrOrStderr())
	if err == nil {
		err = mayChange(cfg, name)
	}
	if err != nil {
		return err
	}
	password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr(), name)
	if err != nil {
		return err
	}
	hash := phc.New(password).String()
	return writeUsers(cmd, cfg, func(by access.Acting, tx *store.Tx) error {
		_, known, err := tx.User(name)
		if err != nil {
			return err
		}
		if !known {
			u := store.User{Name: name, FullName: o.fullName, Password: hash, Roles: rights.Roles{rights.Viewer}, Scope: rights.Whole()}
			if c.Roles != nil {
				u.Roles = *c.Roles
			}
			if c.Scope != nil {
				u.Scope = *c.Scope
			}
			return by.Add(tx, u)
		}
		if err := by.Change(tx, name, c); err != nil {
			return err
		}
		return by.SetPassword(tx, name, hash)
	})
}

// change changes a user that there is; ofFile says that cloud.yaml would undo the change of one of its users.
func change(cmd *cobra.Command, path, name string, ofFile bool, do func(access.Acting, *store.Tx) error) error {
	if !config.ValidUserName(name) {
		return usage(config.UserName, "value", name)
	}
	cfg, err := load(path, cmd.ErrOrStderr())
	if err == nil && ofFile {
		err = mayChange(cfg, name)
	}
	if err != nil {
		return err
	}
	return writeUsers(cmd, cfg, do)
}

// mayChange refuses users that cloud.yaml speaks of: it would undo the change at the next start.
func mayChange(cfg config.Config, name string) error {
	if slices.ContainsFunc(cfg.Users, func(u config.User) bool { return u.Name == name }) {
		return usage(access.CodeOfFile, "name", name)
	}
	return nil
}

// usage is the error of a wrong argument, with the text of a code; args are pairs of name and value.
func usage[C ~string](code C, args ...string) error {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return &command.Error{Code: command.Usage, Err: errors.New(say(problem.Code(code), m))}
}

func writeUsers(cmd *cobra.Command, cfg config.Config, do func(access.Acting, *store.Tx) error) error {
	st, err := store.Open(cmd.Context(), cfg.Database, store.Options{Shared: true})
	if err != nil {
		return err
	}
	by := access.Acting{Actor: operator(), By: access.ByCommand, Scope: rights.Whole(), At: time.Now()}
	err = st.Write(cmd.Context(), func(tx *store.Tx) error { return do(by, tx) })
	return errors.Join(err, st.Close())
}

func listUsers(cmd *cobra.Command, path string) error {
	return withStore(cmd, path, store.Options{Shared: true}, func(st *store.Store) error {
		users, err := st.Users(cmd.Context())
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		origins := map[string]string{store.FromConfig: "配置文件", store.FromCLI: "命令添加", store.FromPlatform: "统一身份认证"}
		for _, u := range users {
			state := "启用"
			if u.Disabled {
				state = "停用"
			}
			var factors []string
			if u.SecondFactor {
				factors = append(factors, "动态口令")
			}
			if u.Certificate {
				factors = append(factors, "个人证书")
			}
			factor := cmp.Or(strings.Join(factors, "、"), "只有密码")
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.Name, u.Roles, u.Scope, state, factor, origins[u.Origin], u.FullName)
		}
		return table.Flush()
	})
}

// operator is the account of the machine under which a command runs.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// readPassword reads a new password of a user; the name may be empty.
func readPassword(in io.Reader, prompt io.Writer, user string) ([]byte, error) {
	password, err := command.ReadSecret(in, prompt, "密码：", maxPassword)
	if err != nil {
		return nil, err
	}
	var fault *access.Fault
	if err := access.CheckPassword(user, password); errors.As(err, &fault) {
		return nil, &command.Error{Code: command.Usage, Err: errors.New(say(fault.Code, fault.Args))}
	}
	return []byte(password), nil
}
