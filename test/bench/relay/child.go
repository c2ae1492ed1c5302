package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// child is a relay under measurement, in a process of its own so that its cost is nobody else's.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	read *bufio.Reader
}

func spawn(program string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(program, args...)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.read = bufio.NewReaderSize(out, 1<<20)
	return c, c.cmd.Start()
}

// goroutines asks the child for their number.
func (c *child) goroutines() (int, error) {
	if _, err := io.WriteString(c.in, "state\n"); err != nil {
		return 0, err
	}
	line, err := c.read.ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	var s struct{ Goroutines int }
	return s.Goroutines, json.Unmarshal(line, &s)
}

func (c *child) end() error {
	return errors.Join(c.in.Close(), c.cmd.Wait())
}

// cpu sums the running time of all threads, with what the kernel did for them.
func (c *child) cpu() (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range tasks {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) { // the thread has ended
			continue
		}
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(data), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// memory gives the resident set in bytes.
func (c *child) memory() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	return kb << 10, err
}

// relay gives the program under test the cameras of e.
func relay(program string, e *ends, n int) (*child, error) {
	c, err := spawn(program)
	if err != nil {
		return nil, err
	}
	type camera struct {
		Code   string `json:"code"`
		URL    string `json:"url"`
		Always bool   `json:"always"`
	}
	settings := struct {
		Hall    string   `json:"hall"`
		Node    string   `json:"node"`
		Cameras []camera `json:"cameras"`
	}{Hall: "440900000000001", Node: "rtsp://" + e.node.Addr().String()}
	for i := range n {
		code := fmt.Sprintf("440900000000001-CM%03d", i+1)
		settings.Cameras = append(settings.Cameras, camera{code, "rtsp://" + e.cameras.Addr().String() + "/" + code, true})
	}
	line, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	_, err = c.in.Write(append(line, '\n'))
	return c, err
}

// floor starts this program again as the cheapest relay there is: n times read and write.
func floor(e *ends, n int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return spawn(self, "-floor", e.cameras.Addr().String()+","+e.node.Addr().String(), "-n", strconv.Itoa(n))
}

// copyStreams is that relay. It ends when its input ends; every line of input is answered with the number of goroutines.
func copyStreams(from, to string, n int) error {
	var conns []net.Conn
	var copying sync.WaitGroup
	for range n {
		var pair [2]net.Conn
		for i, addr := range []string{from, to} {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(c, raw); err != nil {
				return err
			}
			pair[i] = c
			conns = append(conns, c)
		}
		copying.Go(func() {
			b := make([]byte, 64<<10)
			for {
				k, err := pair[0].Read(b)
				if err != nil {
					return
				}
				if _, err := pair[1].Write(b[:k]); err != nil {
					return
				}
			}
		})
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Printf("{\"goroutines\": %d}\n", n+1)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	copying.Wait()
	return nil
}
