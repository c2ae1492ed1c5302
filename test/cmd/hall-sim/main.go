// Command hall-sim plays a hall for people and tests: devices on pseudo-terminals, cameras, and the citizens and staff that use
// them. "demo" runs a whole simulated hall with the real agent and the real cloud; the other commands act in a running demo.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
)

func main() {
	os.Exit(command.Run(root(), func(err error) string {
		if errors.Is(err, context.Canceled) {
			return "" // Ctrl-C
		}
		return err.Error()
	}))
}

func root() *cobra.Command {
	cmd := command.Root("hall-sim", "A simulated hall: devices, cameras, citizens and staff")
	cmd.AddCommand(demoCommand(), provinceCommand())
	cmd.AddCommand(actCommands()...)
	for _, c := range cmd.Commands() {
		c.Args = command.Args(c.Args)
	}
	return cmd
}
