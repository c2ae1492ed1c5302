// Command hall-cloud is the central service: it takes the halls' facts and pictures and shows them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a machine without time zones still knows Asia/Shanghai

	"github.com/spf13/cobra"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/store"
	"halledge/configs"
)

// Exit codes of the contract.
const (
	exitFailure = 1
	exitUsage   = 2 // bad configuration or usage
)

// defaultConfig is where the package installs the file.
const defaultConfig = "/etc/hall-cloud/cloud.yaml"

// version is set by the linker.
var version = "development"

// codeError ends the program with an exit code. Its text was printed already if err is nil.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitFailure
	var coded *codeError
	if errors.As(err, &coded) {
		code = coded.code
	}
	if text := explain(err); text != "" {
		fmt.Fprintln(os.Stderr, "hall-cloud:", text)
	}
	return code
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use: "hall-cloud", Short: "政务服务大厅中心服务 · the central service of the halls", SilenceUsage: true, SilenceErrors: true,
		Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &codeError{code: exitUsage, err: err} })
	path := cmd.PersistentFlags().String("config", defaultConfig, "cloud.yaml")
	cmd.AddCommand(
		runCommand(path), checkCommand(path), hashCommand(), userCommand(path), backupCommand(path), restoreCommand(path),
		rebuildCommand(path), journalCommand(path), versionCommand(),
	)
	return cmd
}

// usage makes a wrong number of arguments a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &codeError{code: exitUsage, err: err}
		}
		return nil
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "版本", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "hall-cloud", version)
			return err
		},
	}
}

// The sentences of the commands.
const (
	codeDatabaseBusy problem.Code = "database_busy"
	codeUserOfFile   problem.Code = "user_of_file"  // name
	codePasswordWeak problem.Code = "password_weak" // low
)

// explain gives the sentence for an error, in Chinese where there is one.
func explain(err error) string {
	var p problem.Problem
	var locked *store.LockedError
	switch {
	case errors.As(err, &p):
		return p.Detail + p.Advice
	case errors.As(err, &locked):
		return say(codeDatabaseBusy, nil)
	}
	return err.Error()
}

func say(code problem.Code, args map[string]string) string {
	catalog, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		return string(code)
	}
	return catalog.Say(string(code), args)
}

// load reads cloud.yaml and prints what is wrong with it. Warnings do not fail it.
func load(path string, w io.Writer) (config.Config, error) {
	c, problems := config.Load(path)
	catalog, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		return c, err
	}
	if err := problems.Print(w, catalog.Say); err != nil {
		return c, err
	}
	if problems.Err() != nil {
		return c, &codeError{code: exitUsage}
	}
	return c, nil
}
