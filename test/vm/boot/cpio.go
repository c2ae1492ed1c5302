package main

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
)

// Types of linux/stat.h.
const (
	folder    = 0o040000
	plain     = 0o100000
	link      = 0o120000
	character = 0o020000
)

// node is one entry of an image.
type node struct {
	mode         int
	data         []byte // of a file; where a link leads
	major, minor int    // of a device
}

// image is the guest's file system by absolute path, without the slash at the front.
type image map[string]node

// put adds an entry and the folders above it.
func (m image) put(name string, n node) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, there := m[dir]; !there {
			m[dir] = node{mode: folder | 0o755}
		}
	}
	m[name] = n
}

// write writes the image as the kernel wants an initramfs: cpio's "newc" (Documentation/driver-api/early-userspace/buffer-format.rst).
func (m image) write(w io.Writer) error {
	number := 0
	entry := func(name string, n node) error {
		number++
		fields := [13]int{number, n.mode, 0, 0, 1, 0, len(n.data), 0, 0, n.major, n.minor, len(name) + 1, 0}
		head := "070701"
		for _, f := range fields {
			head += fmt.Sprintf("%08x", f)
		}
		head += name + "\x00"
		for _, part := range [][]byte{[]byte(head), n.data} {
			if _, err := w.Write(append(part, make([]byte, -len(part)&3)...)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m)) { // folders before what is in them
		if err := entry(name, m[name]); err != nil {
			return err
		}
	}
	return entry("TRAILER!!!", node{})
}
