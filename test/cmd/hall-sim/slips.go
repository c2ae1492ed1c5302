package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"halledge/test/fakes/hardware"
	"halledge/test/fakes/paper"
)

// slipBox is where the printer's slips fall: <number>-<n>.txt and .png, n counting the slips of one number.
type slipBox struct {
	dir  string
	font *paper.Font
	log  *slog.Logger

	mu    sync.Mutex
	count map[string]int
}

func newSlipBox(dir string, log *slog.Logger) (*slipBox, error) {
	font, err := paper.LoadFont()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &slipBox{dir: dir, font: font, log: log, count: map[string]int{}}, nil
}

// drop writes one slip. The picture comes first: who waits for the text finds both.
func (b *slipBox) drop(s hardware.Slip) {
	number := s.Number
	if number == "" {
		number = "test"
	}
	b.mu.Lock()
	b.count[number]++
	name := filepath.Join(b.dir, fmt.Sprintf("%s-%d", number, b.count[number]))
	b.mu.Unlock()
	sheet, err := paper.Printer{Dots: s.Layout.Dots, Charset: string(s.Layout.Charset), Font: b.font}.Print(s.Bytes)
	if err != nil { // the picture shows what came before
		b.log.Error("slip is not as the manuals want it", "slip", name, "error", err)
	}
	var picture bytes.Buffer
	if err = sheet.PNG(&picture); err == nil {
		err = writeWhole(name+".png", picture.Bytes())
	}
	if err == nil {
		err = writeWhole(name+".txt", []byte(s.Text()))
	}
	if err != nil {
		b.log.Error("slip not written", "slip", name, "error", err)
		return
	}
	b.log.Info("slip printed", "slip", name)
}

// writeWhole makes a file appear complete or not at all.
func writeWhole(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
