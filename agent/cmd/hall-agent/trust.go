package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"halledge/agent/internal/config"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
)

// rootFile is the name of the root's certificate where people carry it.
const rootFile = "hall-ca.crt"

func trustCommand(path *string) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "trust", Short: "页面的根证书：核对用的指纹，拷到 U 盘", Args: command.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, problems := config.Load(*path)
			if err := printProblems(cmd.ErrOrStderr(), problems); err != nil {
				return err
			}
			if problems.Err() != nil {
				return &command.Error{Code: command.Usage}
			}
			root, address, err := ops.Trust(cfg)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "地址     %s/trust\n用到     %s\nSHA-256  %s\nSHA-1    %s\n", address, root.Certificate.NotAfter.Format("2006-01-02"), root.SHA256(), root.SHA1())
			if out == "" {
				return nil
			}
			file, err := carry(out, root.PEM())
			if err == nil {
				fmt.Fprintln(w, "已写入  ", file)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "把证书写到这个目录（U 盘）或文件")
	return cmd
}

// carry writes a certificate into a directory or to a file, and has it on the stick before somebody pulls that out.
func carry(to string, text []byte) (string, error) {
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, rootFile)
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return to, err
	}
	_, err = f.Write(text)
	return to, errors.Join(err, f.Sync(), f.Close())
}
