package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"halledge/agent"
	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/kit/command"
	"halledge/agent/kit/logs"
	"halledge/firmware-protocols/hallsync"
)

// maxCode is the length of the longest line with a code that is read.
const maxCode = 256

func enrollCommand(path *string) *cobra.Command {
	var code, cloud, file, serial string
	cmd := &cobra.Command{
		Use: "enroll", Short: "凭中心给的接入码或 U 盘里的文件接入中心（用 hall-agent 账号执行）", Args: command.Args(cobra.NoArgs),
		Long: "凭中心给的接入码接入中心：hall-agent enroll --cloud https://主机:端口，再输入接入码；也可以写 --code。\n" +
			"现场没有网络：hall-agent enroll --file U盘里的文件，网络通了以后大厅代理自己接入。\n" +
			"已经接入的设备再接入一次就换成新的身份，新的用得通以前，旧的一直留着。",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, *path)
			if err != nil {
				return err
			}
			if file != "" {
				return keepFile(cmd, cfg, file, serial)
			}
			if code == "" {
				if code, err = command.ReadSecret(cmd.InOrStdin(), cmd.ErrOrStderr(), "接入码：", maxCode); err != nil {
					return err
				}
			}
			if cloud == "" {
				cloud = cfg.Site.Cloud.HTTPS
			}
			return enrollNow(cmd, cfg, code, cloud, serial)
		},
	}
	cmd.Flags().StringVar(&code, "code", "", "接入码，HE1- 开头的一整行；不写就从标准输入读")
	cmd.Flags().StringVar(&cloud, "cloud", "", "中心的接入地址，https://主机:端口；不写就用 agent.yaml 的 cloud.https")
	cmd.Flags().StringVar(&file, "file", "", "中心生成的接入文件")
	cmd.Flags().StringVar(&serial, "serial", "", "设备序列号，接入码限定设备时要写")
	cmd.MarkFlagsMutuallyExclusive("file", "code")
	cmd.MarkFlagsMutuallyExclusive("file", "cloud")
	return cmd
}

func openIdentity(cmd *cobra.Command, cfg *config.Config) (*identity.Identity, error) {
	return identity.Open(filepath.Join(cfg.Site.Data, identity.Directory), identity.Options{
		Hall: hallsync.HallID(cfg.Site.Hall.Code), Hosts: agent.Hosts(cfg.Site.Web), HTTPS: cfg.Site.Cloud.HTTPS, Credentials: os.Getenv(agent.Credentials),
		Log: logs.New(cmd.ErrOrStderr(), logs.Options{Level: level(cfg.Site.Log.Level)}).Logger,
	})
}

// keepFile stores the file of a stick: the agent enrols by itself.
func keepFile(cmd *cobra.Command, cfg *config.Config, file, serial string) error {
	p, err := identity.ReadProvision(file)
	if err != nil {
		return err
	}
	i, err := openIdentity(cmd, cfg)
	if err == nil {
		err = i.Keep(p, serial)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "接入文件已经记下：网络通了以后，大厅代理自己接入中心。U 盘里的文件可以删了。")
	return nil
}

// enrollNow shows the code to the centre and waits for its answer.
func enrollNow(cmd *cobra.Command, cfg *config.Config, code, cloud, serial string) error {
	p, err := identity.ParseProvision(code, cloud)
	if err != nil {
		return err
	}
	i, err := openIdentity(cmd, cfg)
	if err != nil {
		return err
	}
	wait, err := i.Enrol(cmd.Context(), p, serial)
	switch {
	case err != nil:
		return err
	case wait > 0:
		fmt.Fprintln(cmd.OutOrStdout(), "中心收到了，还要有人办理：办好以后，大厅代理自己接入。")
	default:
		fmt.Fprintf(cmd.OutOrStdout(), "已接入中心：大厅 %s，证书有效期到 %s，到期前自动更换。\n", cfg.Site.Hall.Code, i.Status().Until.Format(time.DateOnly))
	}
	return nil
}

// identityFault gives the fault in an error, if that is what it is.
func identityFault(err error) (*identity.Fault, bool) {
	var f *identity.Fault
	return f, errors.As(err, &f)
}
