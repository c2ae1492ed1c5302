// Command hall-sim plays a hall for people and tests: devices on pseudo-terminals, cameras, and the citizens and staff that use
// them. "demo" runs a whole simulated hall with the real agent and the real cloud; the other commands act in a running demo.
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
	exitUsage   = 2
)

// usageError is a wrong word on the command line or in the environment.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	fmt.Fprintln(os.Stderr, "hall-sim:", err)
	var usage usageError
	if errors.As(err, &usage) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailure)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use: "hall-sim", Short: "A simulated hall: devices, cameras, citizens and staff",
		SilenceUsage: true, SilenceErrors: true,
		// Without RunE cobra would answer an unknown command with the help and success.
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(demoCommand())
	cmd.AddCommand(actCommands()...)
	for _, c := range append(cmd.Commands(), cmd) {
		c.Args = usage(c.Args)
	}
	return cmd
}

// usage makes a wrong word or number of words a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
