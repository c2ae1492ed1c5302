// Command hall-agent is the program on a hall's edge box.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	_ "time/tzdata" // minimal systems have no zone files, and a hall without its zone has no business day

	"github.com/spf13/cobra"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/store"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/trust"
	"halledge/agent/kit/bundle"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/configs"
)

// version is set by the linker.
var version = "development"

func main() { os.Exit(command.Run(root(), explain)) }

// explain gives the sentence for an error, in Chinese where there is one.
func explain(err error) string {
	texts, broken := problem.ParseCatalog(configs.Messages())
	if broken != nil {
		return err.Error()
	}
	var disk *store.Error
	if errors.As(err, &disk) { // and what exactly failed, for who mends it
		return fmt.Sprintf("%s（%v）", texts.Say(string(disk.Code), nil), err)
	}
	var root *trust.Fault
	if errors.As(err, &root) {
		return texts.Say(string(root.Code), map[string]string{"path": root.Path})
	}
	if f, is := identityFault(err); is {
		return texts.Say(string(f.Code), f.Said())
	}
	var notice *bundle.Error
	if errors.As(err, &notice) {
		return texts.Say(string(notice.Code), map[string]string{"item": notice.Item})
	}
	return ops.Sentence(err, texts)
}

// defaultConfig is where the package installs the site's file.
const defaultConfig = "/etc/hall-agent/agent.yaml"

func root() *cobra.Command {
	cmd := command.Root("hall-agent", "政务服务大厅边缘代理 · the agent of a service hall")
	config := cmd.PersistentFlags().String("config", defaultConfig, "agent.yaml")
	cmd.AddCommand(
		runCommand(config), checkCommand(config), doctorCommand(config), devicesCommand(config), testCommand(config), camerasCommand(config),
		journalCommand(config), rerunCommand(config), noticeCommand(config), trustCommand(config), hashCommand(), enrollCommand(config), releaseCommand(), versionCommand(),
	)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "版本", Args: command.Args(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "hall-agent", version) },
	}
}

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
