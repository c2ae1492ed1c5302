// Command hall-cloud is the central service: it takes the halls' facts and pictures and shows them.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // a machine without time zones still knows Asia/Shanghai

	"github.com/spf13/cobra"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/configs"
)

// defaultConfig is where the package installs the file.
const defaultConfig = "/etc/hall-cloud/cloud.yaml"

// version is set by the linker.
var version = "development"

func main() { os.Exit(command.Run(root(), explain)) }

func root() *cobra.Command {
	cmd := command.Root("hall-cloud", "政务服务大厅中心服务 · the central service of the halls")
	path := cmd.PersistentFlags().String("config", defaultConfig, "cloud.yaml")
	cmd.AddCommand(
		runCommand(path), checkCommand(path), hashCommand(), userCommand(path), backupCommand(path), restoreCommand(path),
		rebuildCommand(path), journalCommand(path), personCommand(path), vaultCommand(path), pkiCommand(path), enrolCodeCommand(path), noticeCommand(path),
		provisionCommand(path), renewalsCommand(path), approveCommand(path), revokeCommand(path), quarantinesCommand(path), releaseCommand(path), versionCommand(),
	)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "版本", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "hall-cloud", version)
			return err
		},
	}
}

// The sentences of the commands.
const (
	codeDatabaseBusy problem.Code = "database_busy"
	codeBackupBad    problem.Code = "backup_damaged" // file
	codeBackupOther  problem.Code = "backup_foreign" // file
	codeBackupNewer  problem.Code = "backup_newer"   // file
	codeNoHall       problem.Code = "enrol_hall"     // hall
	codeNoAddress    problem.Code = "provision_address"
	codeFlag         problem.Code = "flag_missing" // flag
	codeListLong     problem.Code = "provision_long"
	codeNothing      problem.Code = "revoke_none" // hall
)

// explain gives the sentence for an error, in Chinese where there is one.
func explain(err error) string {
	var p problem.Problem
	var locked *store.LockedError
	var backup *store.BackupError
	var fault *access.Fault
	var keys *pki.Fault
	var opening *vault.Fault
	var notice *bundle.Error
	switch {
	case errors.As(err, &p):
		return p.Detail + p.Advice
	case errors.As(err, &fault):
		return say(fault.Code, fault.Args)
	case errors.As(err, &keys):
		return say(problem.Code(keys.Code), map[string]string{"path": keys.Path})
	case errors.As(err, &notice):
		return say(problem.Code(notice.Code), map[string]string{"item": notice.Item})
	case errors.As(err, &opening):
		return say(problem.Code(opening.Code), map[string]string{"path": opening.Path})
	case errors.As(err, &locked):
		return say(codeDatabaseBusy, nil)
	case errors.As(err, &backup):
		codes := map[store.BackupFault]problem.Code{
			store.BackupDamaged: codeBackupBad, store.BackupForeign: codeBackupOther, store.BackupNewer: codeBackupNewer,
		}
		return say(codes[backup.Fault], map[string]string{"file": backup.Path})
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
		return c, &command.Error{Code: command.Usage}
	}
	return c, nil
}
