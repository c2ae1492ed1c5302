// Command hall-agent is the program on a hall's edge box.
package main

import (
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // minimal systems have no zone files, and a hall without its zone has no business day

	"github.com/spf13/cobra"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/store"
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
	return ops.Sentence(err, texts)
}

// defaultConfig is where the package installs the site's file.
const defaultConfig = "/etc/hall-agent/agent.yaml"

func root() *cobra.Command {
	cmd := command.Root("hall-agent", "政务服务大厅边缘代理 · the agent of a service hall")
	config := cmd.PersistentFlags().String("config", defaultConfig, "agent.yaml")
	cmd.AddCommand(
		runCommand(config), checkCommand(config), doctorCommand(config), devicesCommand(config), testCommand(config),
		journalCommand(config), rerunCommand(config), hashCommand(), versionCommand(),
	)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "版本", Args: command.Args(cobra.NoArgs),
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "hall-agent", version) },
	}
}
