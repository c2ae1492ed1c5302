//go:build !windows

package main

import (
	"context"
	"os/exec"
	"sync"
	"time"
)

// showTime bounds how long the desktop may take to show a word.
const showTime = 3 * time.Second

// bell shows a word on the desktop, where it has notify-send; else the word on the terminal is all.
type bell struct {
	program string
	showing sync.WaitGroup
	room    chan struct{} // one at a time: what comes meanwhile is on the terminal
}

func newBell() *bell {
	program, err := exec.LookPath("notify-send")
	if err != nil {
		program = ""
	}
	return &bell{program: program, room: make(chan struct{}, 1)}
}

func (b *bell) ring(text string, good bool) {
	if b.program == "" {
		return
	}
	select {
	case b.room <- struct{}{}:
	default:
		return
	}
	urgency := "normal"
	if !good {
		urgency = "critical"
	}
	b.showing.Go(func() {
		defer func() { <-b.room }()
		ctx, cancel := context.WithTimeout(context.Background(), showTime)
		defer cancel()
		_ = exec.CommandContext(ctx, b.program, "--urgency", urgency, "--expire-time", "4000", "--", "叫号", text).Run() // the terminal has it, too
	})
}

func (b *bell) wait() { b.showing.Wait() }

// startByClick and letRead are for Windows, where a click opens a console for the program and its end closes it.
func startByClick() {}

func letRead() {}
