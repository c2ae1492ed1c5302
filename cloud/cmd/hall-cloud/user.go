package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"halledge/agent/kit/command"
	"halledge/agent/kit/phc"
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
	var fullName string
	add := &cobra.Command{
		Use: "add 用户名", Short: "添加用户或重设密码，密码从标准输入读；服务运行时也可以用", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return addUser(cmd, *path, args[0], fullName) },
	}
	add.Flags().StringVar(&fullName, "full-name", "", "姓名，显示在控制台上")
	cmd.AddCommand(add)
	return cmd
}

func addUser(cmd *cobra.Command, path, name, fullName string) error {
	cfg, err := load(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if !config.ValidUserName(name) {
		return &command.Error{Code: command.Usage, Err: errors.New(say("config_user_name", map[string]string{"value": name}))}
	}
	for _, u := range cfg.Users {
		if u.Name == name {
			return &command.Error{Code: command.Usage, Err: errors.New(say(codeUserOfFile, map[string]string{"name": name}))}
		}
	}
	password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	st, err := store.Open(cmd.Context(), cfg.Database, store.Options{Shared: true})
	if err != nil {
		return err
	}
	now := time.Now()
	u := store.User{Name: name, FullName: fullName, Password: phc.New(password).String(), Origin: store.FromCLI, Created: now}
	err = st.Write(cmd.Context(), func(tx *store.Tx) error {
		if err := tx.PutUser(u); err != nil {
			return err
		}
		if err := tx.ClearFailures(name); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: operator(), Action: "user_add", Subject: name, Result: "ok"})
	})
	return errors.Join(err, st.Close())
}

// operator is the account of the machine under which a command runs.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// readPassword reads one line. On a terminal it asks for it and does not show it.
func readPassword(in io.Reader, prompt io.Writer) ([]byte, error) {
	if f, ok := in.(*os.File); ok {
		restore, err := hideTyping(int(f.Fd()))
		if err == nil {
			defer restore()
			fmt.Fprint(prompt, "密码：")
			defer fmt.Fprintln(prompt)
		}
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if len([]rune(password)) < minPassword || len(password) > maxPassword {
		return nil, &command.Error{Code: command.Usage, Err: errors.New(say(codePasswordWeak, map[string]string{"low": strconv.Itoa(minPassword)}))}
	}
	return []byte(password), nil
}

// hideTyping turns the echo of a terminal off. It fails when fd is no terminal.
func hideTyping(fd int) (restore func(), err error) {
	state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	quiet := *state
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, state) }, nil // nothing can be done if it fails
}
