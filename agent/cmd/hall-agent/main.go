// Command hall-agent is the program on a hall's edge box.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of the contract.
const (
	exitFailure = 1
	exitUsage   = 2 // bad configuration or usage
)

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
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "hall-agent:", text)
	}
	return code
}

// defaultConfig is where the package installs the site's file.
const defaultConfig = "/etc/hall-agent/agent.yaml"

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use: "hall-agent", Short: "政务服务大厅边缘代理 · the agent of a service hall", SilenceUsage: true, SilenceErrors: true,
		Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &codeError{code: exitUsage, err: err} })
	config := cmd.PersistentFlags().String("config", defaultConfig, "agent.yaml")
	cmd.AddCommand(
		runCommand(config), checkCommand(config), doctorCommand(config), devicesCommand(config), testCommand(config),
		journalCommand(config), versionCommand(),
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
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "hall-agent", version) },
	}
}
