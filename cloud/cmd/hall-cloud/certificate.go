package main

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"software.sslmate.com/src/go-pkcs12"

	"halledge/agent/kit/command"
	"halledge/cloud"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

func certificateCommand(path *string) *cobra.Command {
	var out string
	var revoke bool
	cmd := &cobra.Command{
		Use: "certificate 用户名", Short: "给用户发登录用的个人证书（--out），或者作废他的全部证书（--revoke）；用运行中心服务的账号执行", Args: command.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case revoke == (out != ""):
				return usage(config.Missing, "key", "--out、--revoke")
			case revoke:
				return change(cmd, *path, args[0], false, func(by access.Acting, tx *store.Tx) error { return by.RevokeCertificates(tx, args[0]) })
			}
			return issueCertificate(cmd, *path, args[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "写到哪个新文件（PKCS#12，.p12）")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "作废他的全部证书，用证书打开的登录立即失效")
	return cmd
}

// issueCertificate writes a new certificate of a user and its key into a file, and says the file's password, once.
func issueCertificate(cmd *cobra.Command, path, name, out string) (err error) {
	if !config.ValidUserName(name) {
		return usage(config.UserName, "value", name)
	}
	cfg, err := load(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	st, err := store.Open(cmd.Context(), cfg.Database, store.Options{Shared: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	register, err := pki.Open(cmd.Context(), st, pki.Options{Directory: cfg.PKI.Directory, Issuers: cloud.Issuers(cfg), Now: time.Now})
	if err != nil {
		return err
	}
	personal, err := register.NewPersonal(name)
	if err != nil {
		return err
	}
	password := newPassword()
	file, err := pkcs12.Modern.Encode(personal.Key, personal.Certificate, []*x509.Certificate{personal.Root}, password)
	if err != nil {
		return fmt.Errorf("encode certificate: %w", err)
	}
	// The file comes first: who has a certificate issued does not come in without it.
	if err := writeNew(out, file); err != nil {
		return err
	}
	by := access.Acting{Actor: operator(), By: access.ByCommand, Scope: rights.Whole(), At: time.Now()}
	err = st.Write(cmd.Context(), func(tx *store.Tx) error {
		return by.Certify(tx, name, func(tx *store.Tx) error { return register.AddPersonal(tx, personal) })
	})
	if err != nil {
		return errors.Join(err, os.Remove(out))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "个人证书在 %s，有效到 %s。\n文件的口令（只显示这一次，另走一条路告诉本人）：%s\n",
		out, personal.Certificate.NotAfter.Local().Format(time.DateOnly), password)
	return err
}

// newPassword draws 100 bits, in groups that can be typed.
func newPassword() string {
	text := rand.Text()
	return strings.Join([]string{text[:5], text[5:10], text[10:15], text[15:20]}, "-")
}

// writeNew writes a file that its owner alone may read, and that was not there.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
