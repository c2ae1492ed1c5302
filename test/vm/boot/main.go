// Command boot runs a test program in a virtual machine: Debian's kernel with real drivers for devices that the tests make, and a real
// udev. It needs no KVM. Every test that the program lists must have passed in the guest, else it fails.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	var (
		src     source
		work    = flag.String("work", "var/vm", "folder for the image and the logs")
		timeout = flag.Duration("timeout", 10*time.Minute, "time for everything")
	)
	flag.StringVar(&src.run, "run", ".", "run only tests that match this expression")
	flag.StringVar(&src.kernel, "kernel", "var/vm/kernel", "folder into which a linux-image package was unpacked")
	flag.StringVar(&src.tests, "tests", "var/vm/guest.test", "static test program")
	flag.StringVar(&src.rules, "rules", "packaging/udev", "folder of udev rules")
	flag.Parse()
	if err := run(src, *work, *timeout); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func run(src source, work string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	release, err := kernel(src.kernel)
	if err != nil {
		return err
	}
	want, err := tests(ctx, src)
	if err != nil {
		return err
	}
	initrd := filepath.Join(work, "initramfs")
	if err := pack(src, release, initrd); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(work, "guest.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	got := results{out: os.Stdout}
	console := filepath.Join(work, "console.log")
	err = boot(ctx, machine{
		kernel: filepath.Join(src.kernel, "boot/vmlinuz-"+release), initrd: initrd, console: console,
		flags: fmt.Sprintf("-test.v,-test.timeout=%s,-test.run=%s", timeout-timeout/5, src.run),
	}, func(line string) {
		fmt.Fprintln(log, line)
		got.take(line)
	})
	return errors.Join(err, got.verdict(want), wounded(console))
}

// kernel gives the release of the one kernel below dir.
func kernel(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "boot/vmlinuz-*"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d kernels below %s, want one", len(found), dir)
	}
	_, release, _ := strings.Cut(filepath.Base(found[0]), "-")
	return release, nil
}

// tests asks the program which tests it will run.
func tests(ctx context.Context, src source) ([]string, error) {
	full, err := filepath.Abs(src.tests)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, full, "-test.list", src.run).Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.tests, err)
	}
	names := strings.Fields(string(out))
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no test %s", src.tests, src.run)
	}
	return names, nil
}

func pack(src source, release, path string) error {
	m, err := src.build(release)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(m.write(w), w.Flush(), f.Close())
}

// machine is what the guest is made of.
type machine struct {
	kernel, initrd string
	console        string // file that gets what the kernel says
	flags          string // of the test program, between commas
}

// boot runs the guest until it switches itself off and calls each with every line of its second port.
func boot(ctx context.Context, m machine, each func(line string)) error {
	// Without KVM also where there is one: machines that are virtual themselves often have one that does not work.
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
		"-kernel", m.kernel, "-initrd", m.initrd,
		"-append", fmt.Sprintf("console=ttyS0 loglevel=6 panic=-1 guest_flags=%s", m.flags),
		"-serial", "file:"+m.console, "-serial", "stdio")
	cmd.WaitDelay = 5 * time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			each(strings.TrimRight(line, "\r\n"))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(err, cmd.Wait())
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("qemu: %w %s", err, said.String())
	}
	return nil
}

// wounded reports what the kernel says when it finds a fault of its own: no result of such a run counts.
func wounded(console string) error {
	data, err := os.ReadFile(console)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		for _, sign := range []string{"BUG:", "Oops:", "Kernel panic", "WARNING: CPU"} {
			if strings.Contains(line, sign) {
				return fmt.Errorf("the guest's kernel says %q, see %s", strings.TrimSpace(line), console)
			}
		}
	}
	return nil
}
