package command_test

import (
	"errors"
	"io"
	"testing"

	"github.com/spf13/cobra"

	"halledge/agent/kit/command"
)

func TestExitCodes(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		args []string
		want int
	}{
		{nil, 0},
		{[]string{"work"}, 0},
		{[]string{"fail"}, command.Failure},
		{[]string{"config"}, command.Usage},
		{[]string{"work", "twice"}, command.Usage},
		{[]string{"work", "--nonsense"}, command.Usage},
		{[]string{"nonsense"}, command.Usage},
	} {
		root := command.Root("prog", "a program")
		ends := func(name string, err error) *cobra.Command {
			return &cobra.Command{Use: name, Args: command.Args(cobra.NoArgs), RunE: func(*cobra.Command, []string) error { return err }}
		}
		root.AddCommand(ends("work", nil), ends("fail", broken), ends("config", &command.Error{Code: command.Usage}))
		root.SetArgs(tc.args)
		root.SetOut(io.Discard)
		said := ""
		if got := command.Run(root, func(err error) string { said = err.Error(); return "" }); got != tc.want {
			t.Errorf("%q: exit code %d, want %d (%s)", tc.args, got, tc.want, said)
		}
	}
}
