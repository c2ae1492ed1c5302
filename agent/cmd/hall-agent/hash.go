package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/web/access"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
)

// codePINLength says that a PIN is too short or too long.
const codePINLength problem.Code = "pin_length" // low, high

func hashCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hash", Short: "从标准输入读一个 PIN，输出写进 hall.yaml 的散列", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pin, err := command.ReadSecret(cmd.InOrStdin(), cmd.ErrOrStderr(), "PIN：", access.MaxPIN)
			if err != nil {
				return err
			}
			hash, err := access.HashPIN(pin)
			if err != nil {
				return command.BadUsage(&ops.Error{
					Code: codePINLength, Args: map[string]string{"low": strconv.Itoa(access.MinPIN), "high": strconv.Itoa(access.MaxPIN)}, Err: err,
				})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
			return err
		},
	}
}
