// Package command gives the programs one way to start, fail and end: the signals that stop them, and the exit codes of the
// contract (0 well, 1 failure, 2 bad configuration or usage).
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	Failure = 1
	Usage   = 2
)

// Error ends the program with an exit code. Err may be nil when everything was printed already.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// BadUsage makes an error one of usage.
func BadUsage(err error) error { return &Error{Code: Usage, Err: err} }

// Args makes a wrong number of arguments an error of usage.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return BadUsage(err)
		}
		return nil
	}
}

// Root makes a program's first command: it takes no words of its own and shows the help.
func Root(name, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, SilenceUsage: true, SilenceErrors: true, Args: Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return BadUsage(err) })
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetUsageTemplate(usage)
	cmd.PersistentFlags().BoolP("help", "h", false, "这份说明")
	return cmd
}

// usage is how a command says what it takes, in cobra's template language.
const usage = `用法：
{{- if .HasAvailableSubCommands}}
  {{.CommandPath}} <命令>
{{- else}}
  {{.UseLine}}
{{- end}}{{if .HasAvailableSubCommands}}

命令：{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

选项：
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

每个命令都有的选项：
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

{{.CommandPath}} <命令> --help 看一个命令的说明{{end}}
`

// Run runs a program until it ends or is told to by Ctrl-C or SIGTERM, and gives its exit code. explain gives the sentence for an
// error, empty for none; nil takes the error's own text.
func Run(root *cobra.Command, explain func(error) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if explain == nil {
		explain = error.Error
	}
	if text := explain(err); text != "" {
		fmt.Fprintln(os.Stderr, root.Name()+":", text)
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return Failure
}
