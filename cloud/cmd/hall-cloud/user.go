package main

import (
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
	"halledge/cloud/internal/store"
)

const (
	minPassword = 10  // characters
	maxPassword = 256 // bytes
)

func hashCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hash", Short: "从标准输入读一个密码，输出写进 cloud.yaml 的散列", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), phc.New(password))
			return err
		},
	}
}

func userCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "控制台的用户", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var fullName, role string
	add := &cobra.Command{
		Use: "add 用户名", Short: "添加用户或重设密码，密码从标准输入读；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return addUser(cmd, *path, args[0], fullName, role) },
	}
	add.Flags().StringVar(&fullName, "full-name", "", "姓名，显示在控制台上")
	add.Flags().StringVar(&role, "role", "", "viewer 只看运行情况，admin 还能看审计；不写时新用户是 viewer，老用户不变")
	cmd.AddCommand(add, &cobra.Command{
		Use: "disable 用户名", Short: "停用用户，正在用的登录立即失效；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeUser(cmd, *path, args[0], store.ActionUserDisable, func(u *store.User) { u.Disabled = true })
		},
	}, &cobra.Command{
		Use: "enable 用户名", Short: "重新启用停用的用户；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeUser(cmd, *path, args[0], store.ActionUserEnable, func(u *store.User) { u.Disabled = false })
		},
	}, &cobra.Command{
		Use: "list", Short: "列出全部用户；服务运行时也可以用", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return listUsers(cmd, *path) },
	})
	return cmd
}

func addUser(cmd *cobra.Command, path, name, fullName, role string) error {
	if roles := []string{"", config.RoleViewer, config.RoleAdmin}; !slices.Contains(roles, role) {
		return usage(config.NotAllowed, "value", role, "allowed", strings.Join(roles[1:], ", "))
	}
	cfg, err := load(path, cmd.ErrOrStderr())
	if err == nil {
		err = mayChange(cfg, name)
	}
	if err != nil {
		return err
	}
	password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	hash := phc.New(password).String()
	return writeUsers(cmd, cfg, func(tx *store.Tx, now time.Time) error {
		u, known, err := tx.User(name)
		if err != nil {
			return err
		}
		if !known {
			u = store.User{Name: name, Created: now}
		}
		if role != "" {
			u.Role = store.Role(role)
		}
		u.FullName, u.Password, u.Origin = fullName, hash, store.FromCLI
		if err := tx.ClearFailures(name); err != nil {
			return err
		}
		return putUser(tx, u, store.ActionUserAdd, now)
	})
}

// changeUser changes a user that there is.
func changeUser(cmd *cobra.Command, path, name, action string, change func(*store.User)) error {
	cfg, err := load(path, cmd.ErrOrStderr())
	if err == nil {
		err = mayChange(cfg, name)
	}
	if err != nil {
		return err
	}
	return writeUsers(cmd, cfg, func(tx *store.Tx, now time.Time) error {
		u, known, err := tx.User(name)
		if err != nil {
			return err
		}
		if !known {
			return errors.New(say(codeUserUnknown, map[string]string{"name": name}))
		}
		change(&u)
		return putUser(tx, u, action, now)
	})
}

// mayChange refuses names that can not be, and users that cloud.yaml speaks of: it would undo the change at the next start.
func mayChange(cfg config.Config, name string) error {
	if !config.ValidUserName(name) {
		return usage(config.UserName, "value", name)
	}
	if slices.ContainsFunc(cfg.Users, func(u config.User) bool { return u.Name == name }) {
		return usage(codeUserOfFile, "name", name)
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

func writeUsers(cmd *cobra.Command, cfg config.Config, do func(*store.Tx, time.Time) error) error {
	st, err := store.Open(cmd.Context(), cfg.Database, store.Options{Shared: true})
	if err != nil {
		return err
	}
	err = st.Write(cmd.Context(), func(tx *store.Tx) error { return do(tx, time.Now()) })
	return errors.Join(err, st.Close())
}

func putUser(tx *store.Tx, u store.User, action string, now time.Time) error {
	if err := tx.PutUser(u); err != nil {
		return err
	}
	return tx.AddAudit(store.Audit{At: now, Actor: operator(), By: access.ByCommand, Action: action, Subject: u.Name, Result: "ok"})
}

func listUsers(cmd *cobra.Command, path string) error {
	return withStore(cmd, path, store.Options{Shared: true}, func(st *store.Store) error {
		users, err := st.Users(cmd.Context())
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		origins := map[string]string{store.FromConfig: "配置文件", store.FromCLI: "命令添加"}
		for _, u := range users {
			state := "启用"
			if u.Disabled {
				state = "停用"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", u.Name, u.Role, state, origins[u.Origin], u.FullName)
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

// readPassword reads a new password.
func readPassword(in io.Reader, prompt io.Writer) ([]byte, error) {
	password, err := command.ReadSecret(in, prompt, "密码：", maxPassword)
	if err != nil {
		return nil, err
	}
	if len([]rune(password)) < minPassword || len(password) > maxPassword {
		return nil, usage(codePasswordWeak, "low", strconv.Itoa(minPassword))
	}
	return []byte(password), nil
}
