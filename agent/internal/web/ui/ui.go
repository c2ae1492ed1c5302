// Package ui gives the fingerprint of the pages' sources, by which the committed build is known to be theirs. The sources are
// TypeScript in src and style sheets in css; build turns them into the files of ../dist.
package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// StampFile is the file in dist that holds the fingerprint of the sources it was built from.
const StampFile = "sources.sha256"

// Fingerprint gives the digest of everything the build depends on in the directory of this package.
func Fingerprint(dir string) (string, error) {
	files := []string{"package-lock.json", "tsconfig.json"}
	for _, sub := range []string{"src", "css"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(rel))
			return err
		})
		if err != nil {
			return "", fmt.Errorf("ui: %w", err)
		}
	}
	slices.Sort(files)
	h := sha256.New()
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f)))
		if err != nil {
			return "", fmt.Errorf("ui: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", f, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
