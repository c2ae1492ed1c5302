package transport

import (
	"errors"
	"io/fs"
	"strings"

	"halledge/drivers/attached"
	"halledge/drivers/device"
)

// refPrefix begins a path that names a USB device by what does not change, instead of a node by the name it has today.
const refPrefix = "usb:"

// IsRef reports whether path is a reference such as usb:1a86:7523@1-1.2.
func IsRef(path string) bool { return strings.HasPrefix(path, refPrefix) }

// locate gives the node of kind that path names at this moment: path itself, unless it is a reference.
func locate(root, path string, kind attached.Kind) (string, error) {
	if !IsRef(path) {
		return path, nil
	}
	ref, err := attached.ParseRef(strings.TrimPrefix(path, refPrefix))
	if err != nil {
		return "", badConfig("open "+path, err)
	}
	nodes, err := attached.Scan(root)
	if err != nil {
		return "", openError(path, err)
	}
	n, err := attached.Find(nodes, ref, kind)
	switch {
	case errors.Is(err, attached.ErrAmbiguous): // for now: one of them may be unplugged again
		return "", &device.Error{Op: "open " + path, Code: device.CodeOffline, Retry: true, Err: err}
	case err != nil:
		return "", &device.Error{Op: "open " + path, Code: device.CodeOffline, Retry: true, Err: errors.Join(fs.ErrNotExist, err)}
	}
	return n.Path, nil
}

// Nodes gives every node below root that path stands for at this moment: itself, or those of the USB devices that a reference fits.
func Nodes(root, path string) []string {
	if !IsRef(path) {
		return []string{path}
	}
	ref, err := attached.ParseRef(strings.TrimPrefix(path, refPrefix))
	if err != nil {
		return nil
	}
	all, err := attached.Scan(root)
	if err != nil {
		return nil // as good as nothing: the next attempt to open says why
	}
	var paths []string
	for _, n := range all {
		if ref.Fits(n) {
			paths = append(paths, n.Path)
		}
	}
	return paths
}
