// Command hall-caller is a small helper on a clerk's PC: hot-keys call the next number and use the other verbs of the window while any
// other program has the focus.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"halledge/agent/internal/caller"
	"halledge/agent/internal/caller/hotkey"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/configs"
)

// version is set by the linker.
var version = "development"

func main() {
	startByClick()
	code := command.Run(root(), nil)
	if code != 0 {
		letRead()
	}
	os.Exit(code)
}

const configName = "hall-caller.yaml"

func root() *cobra.Command {
	cmd := command.Root("hall-caller", "叫号快捷键 · hot-keys of a window")
	cmd.Long = "不带命令启动就是 run：听快捷键，叫号。配置文件 " + configName + " 放在程序旁边。"
	path := cmd.PersistentFlags().String("config", usualPath(), "配置文件")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, *path) }
	cmd.AddCommand(
		&cobra.Command{
			Use: "run", Short: "听快捷键，叫号", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, *path) },
		},
		&cobra.Command{
			Use: "check", Short: "检查配置，列出快捷键，试连大厅服务器", Args: command.Args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return check(cmd, *path) },
		},
		&cobra.Command{
			Use: "version", Short: "版本", Args: command.Args(cobra.NoArgs),
			Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "hall-caller", version) },
		})
	return cmd
}

// usualPath is the configuration in the working directory, or else beside the program.
func usualPath() string {
	if _, err := os.Stat(configName); err == nil {
		return configName
	}
	program, err := os.Executable()
	if err != nil {
		return configName
	}
	return filepath.Join(filepath.Dir(program), configName)
}

// load reads the configuration and says what is wrong with it.
func load(stderr io.Writer, path string) (*caller.Config, *problem.Catalog, error) {
	texts, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		return nil, nil, err
	}
	cfg, problems := caller.Load(path)
	if err := problems.Print(stderr, texts.Say); err != nil {
		return nil, nil, err
	}
	if problems.Err() != nil {
		return nil, nil, command.BadUsage(errors.New("配置有问题，没有启动"))
	}
	return cfg, texts, nil
}

func check(cmd *cobra.Command, path string) error {
	cfg, texts, err := load(cmd.ErrOrStderr(), path)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "配置正确：%s，%s 号窗口\n", path, cfg.Window)
	for _, b := range cfg.Keys.Bindings() {
		fmt.Fprintf(cmd.OutOrStdout(), "  %-16s %s\n", b.Key, nameOf(texts, b.Verb))
	}
	args := map[string]string{"agent": cfg.Agent}
	say := func(code strictyaml.Code) string { return texts.Say(string(code), args) }
	err = caller.Reach(cmd.Context(), cfg)
	var refused *caller.Refused
	switch {
	case errors.As(err, &refused) && refused.Detail != "":
		return errors.New(cfg.Agent + "：" + refused.Detail + refused.Advice)
	case err != nil:
		return fmt.Errorf("%s（%w）", say("caller_unreached"), err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), say("caller_reached"))
	return nil
}

func run(cmd *cobra.Command, path string) error {
	cfg, texts, err := load(cmd.ErrOrStderr(), path)
	if err != nil {
		return err
	}
	bell := newBell()
	defer bell.wait()
	err = caller.Run(cmd.Context(), cfg, hotkey.Listen, func(o caller.Outcome) {
		text, good := sentence(texts, cfg.Window, o)
		fmt.Fprintln(cmd.ErrOrStderr(), text)
		bell.ring(text, good)
	})
	if cmd.Context().Err() != nil { // told to end
		return nil
	}
	return fmt.Errorf("收不到快捷键，请在图形桌面里启动，并换掉被占用的键（%w）", err)
}

// nameOf is what clerks call a verb.
func nameOf(texts *problem.Catalog, verb string) string {
	return texts.Say(string(map[string]strictyaml.Code{
		"call-next": "caller_verb_call_next", "recall": "caller_verb_recall", "start": "caller_verb_start", "finish": "caller_verb_finish",
		"pass": "caller_verb_pass", "hold": "caller_verb_hold", "pause": "caller_verb_pause", "open": "caller_verb_open",
		"close": "caller_verb_close",
	}[verb]), nil)
}

// sentence says what came of a press; good is false if the clerk has to do something about it.
func sentence(texts *problem.Catalog, window string, o caller.Outcome) (text string, good bool) {
	args := map[string]string{"key": o.Key.String(), "verb": nameOf(texts, o.Verb), "number": o.Answer.Number, "window": window}
	say := func(code strictyaml.Code) string { return texts.Say(string(code), args) }
	switch o.Kind {
	case caller.Ready:
		return say("caller_ready"), true
	case caller.Taken:
		return say("caller_taken"), false
	case caller.Busy:
		return say("caller_busy"), false
	case caller.Failed:
		return say("caller_failed"), false
	case caller.Refusal:
		var refused *caller.Refused
		if errors.As(o.Err, &refused) && refused.Detail != "" {
			return args["verb"] + "：" + refused.Detail + refused.Advice, false
		}
		return say("caller_refused"), false
	}
	switch {
	case o.Verb == "call-next" && o.Answer.Number == "":
		return say("caller_nobody"), true
	case o.Verb == "call-next" || o.Verb == "recall":
		return say("caller_called"), true
	case o.Answer.Number != "":
		return say("caller_done"), true
	}
	return say("caller_done_window"), true
}
