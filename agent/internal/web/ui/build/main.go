// Command build makes ../dist from the pages' sources: TypeScript to ES5 by tsc, then one script and one style sheet a page by
// esbuild. It needs node and npm; building the agent does not, because dist is committed.
//
//	go run ./agent/internal/web/ui/build
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"halledge/agent/internal/web/ui"
)

// The folders, seen from the module's root.
const (
	source = "agent/internal/web/ui"
	target = "agent/internal/web/dist"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if _, err := os.Stat(source); err != nil {
		return errors.New("start it in the module's root: go run ./" + source + "/build")
	}
	if _, err := os.Stat(filepath.Join(source, "node_modules")); err != nil {
		if err := command(ctx, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
			return err
		}
	}
	es5, err := os.MkdirTemp("", "hall-pages-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(es5) }()
	if err := command(ctx, "node", "node_modules/typescript/bin/tsc", "--project", ".", "--outDir", es5); err != nil {
		return err
	}
	if err := clean(); err != nil {
		return err
	}
	for _, step := range []struct{ from, glob string }{{es5, "*.js"}, {filepath.Join(source, "css"), "*.css"}} {
		if err := bundle(step.from, step.glob); err != nil {
			return err
		}
	}
	sum, err := ui.Fingerprint(source)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(target, ui.StampFile), []byte(sum+"\n"), 0o644)
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = source, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

// clean removes the old build, so that nothing of a page that is gone stays.
func clean() error {
	old, err := filepath.Glob(filepath.Join(target, "*.[jc]s*"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}

// bundle makes one file of each entry point and what it imports, for the browsers of ten years ago.
func bundle(dir, glob string) error {
	entries, err := filepath.Glob(filepath.Join(dir, glob))
	if err != nil || len(entries) == 0 {
		return fmt.Errorf("no %s in %s: %w", glob, dir, errors.Join(err, os.ErrNotExist))
	}
	res := api.Build(api.BuildOptions{
		EntryPoints: entries, Outdir: target, Bundle: true, Write: true,
		Target: api.ES5, Engines: []api.Engine{{Name: api.EngineChrome, Version: "49"}},
		Format: api.FormatIIFE, Charset: api.CharsetUTF8, LogLevel: api.LogLevelWarning, LegalComments: api.LegalCommentsNone,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	if len(res.Errors) > 0 {
		return fmt.Errorf("esbuild: %d errors", len(res.Errors))
	}
	return nil
}
