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
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(demoCommand())
	cmd.AddCommand(actCommands()...)
	return cmd
}
