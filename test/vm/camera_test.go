//go:build vm

package vm

import (
	"context"
	"encoding/binary"
	"image"
	"image/draw"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/qr"
)

// vivid is a camera and a screen in one: what is written to its output is what its input sees, if it is asked to.
const (
	screenWidth  = 1280 // of CEA-861's 720p60, which both begin with
	screenHeight = 720

	screenKind    = 2 // V4L2_BUF_TYPE_VIDEO_OUTPUT
	screenBuffers = 2
)

// Requests of linux/videodev2.h on a 64-bit machine.
const (
	videoSetFormat  = 0xC0D05605
	videoBuffers    = 0xC0145608
	videoBuffer     = 0xC0585609
	videoQueue      = 0xC058560F
	videoDequeue    = 0xC0585611
	videoOn         = 0x40045612
	videoControl    = 0xC0445624
	videoSetControl = 0xC008561C
	nextControl     = 0x80000000
)

// vivid loads the driver with one HDMI input and one HDMI output, and gives their nodes.
func vivid(t *testing.T) (camera, screen string) {
	t.Helper()
	run(t, "modprobe", "vivid", "n_devs=1", "node_types=0x101", "num_inputs=1", "input_types=3", "num_outputs=1", "output_types=1")
	t.Cleanup(func() { run(t, "modprobe", "-r", "vivid") })
	run(t, "udevadm", "settle")
	entries, err := filepath.Glob("/sys/class/video4linux/video*")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, err := os.ReadFile(filepath.Join(e, "name"))
		if err != nil {
			t.Fatal(err)
		}
		switch node := "/dev/" + filepath.Base(e); {
		case strings.HasSuffix(strings.TrimSpace(string(name)), "vid-cap"):
			camera = node
		case strings.HasSuffix(strings.TrimSpace(string(name)), "vid-out"):
			screen = node
		}
	}
	if camera == "" || screen == "" {
		t.Fatalf("vivid has the nodes %v", entries)
	}
	return camera, screen
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", program, args, err, out)
	}
}

func openVideo(t *testing.T, node string) *os.File {
	t.Helper()
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), node)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// set presses a button of vivid's, or switches it on, by its name.
func set(t *testing.T, node, name string) {
	t.Helper()
	f := openVideo(t, node)
	defer f.Close()
	var c struct {
		id, kind uint32
		name     [32]byte
		_        [7]uint32
	}
	for {
		c.id |= nextControl
		if err := ioctl(f.Fd(), videoControl, uintptr(unsafe.Pointer(&c))); err != nil {
			t.Fatalf("%s has no control %q: %v", node, name, err)
		}
		if unix.ByteSliceToString(c.name[:]) == name {
			break
		}
	}
	value := [2]uint32{c.id, 1}
	if err := ioctl(f.Fd(), videoSetControl, uintptr(unsafe.Pointer(&value))); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// show puts a code on vivid's screen until it is taken away.
func show(t *testing.T, screen, payload string) (takeAway func()) {
	t.Helper()
	m, err := qr.Draw(payload, 400)
	if err != nil {
		t.Fatal(err)
	}
	sheet := image.NewGray(image.Rect(0, 0, screenWidth, screenHeight))
	draw.Draw(sheet, sheet.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(sheet, m.Bounds().Add(image.Pt(500, 280)), m, image.Point{}, draw.Src) // vivid writes its own text above
	f := openVideo(t, screen)
	var format [208]byte
	for at, v := range map[int]uint32{
		0: 2, 8: screenWidth, 12: screenHeight, 16: binary.LittleEndian.Uint32([]byte("GREY")), 20: 1, // an output, without interlacing
	} {
		binary.NativeEndian.PutUint32(format[at:], v)
	}
	if err := ioctl(f.Fd(), videoSetFormat, uintptr(unsafe.Pointer(&format))); err != nil {
		t.Fatal(err)
	}
	if size := binary.NativeEndian.Uint32(format[28:]); int(size) != len(sheet.Pix) {
		t.Fatalf("a picture of the screen has %d bytes, want %d", size, len(sheet.Pix))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	must := func(request uintptr, arg unsafe.Pointer) {
		t.Helper()
		if err := ioctl(f.Fd(), request, uintptr(arg)); err != nil {
			t.Fatal(err)
		}
	}
	must(videoBuffers, unsafe.Pointer(&[5]uint32{screenBuffers, screenKind, 1}))
	var mapped [][]byte
	for i := range screenBuffers {
		b := screenBuffer(i, 0)
		must(videoBuffer, unsafe.Pointer(&b))
		offset, length := b[16], b[18]
		m, err := unix.Mmap(int(f.Fd()), int64(offset), int(length), unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		mapped = append(mapped, m)
		b = screenBuffer(i, copy(m, sheet.Pix))
		must(videoQueue, unsafe.Pointer(&b))
	}
	kind := uint32(screenKind)
	must(videoOn, unsafe.Pointer(&kind))
	go func() { // every picture again and again
		defer close(done)
		defer func() {
			for _, m := range mapped { // they keep the screen open
				_ = unix.Munmap(m)
			}
			_ = f.Close()
		}()
		for ctx.Err() == nil {
			b := screenBuffer(0, 0)
			if err := ioctl(f.Fd(), videoDequeue, uintptr(unsafe.Pointer(&b))); err != nil {
				t.Error(err)
				return
			}
			b[2] = uint32(len(sheet.Pix))
			if err := ioctl(f.Fd(), videoQueue, uintptr(unsafe.Pointer(&b))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// screenBuffer is struct v4l2_buffer: index, kind, bytes used … mapped at 15, offset at 16, length at 18.
func screenBuffer(index, used int) [22]uint32 {
	return [22]uint32{0: uint32(index), 1: screenKind, 2: uint32(used), 4: 1, 15: 1}
}

func TestACameraReadsCodes(t *testing.T) {
	camera, screen := vivid(t)
	set(t, camera, "Loop Video")
	codes := []string{"YSS-SIM-0001", "http://192.0.2.10:8080/t/HE1.01JDA7XW9K3E5V5T7Q2Q0YB4ZC.0123456789abcdefghijkl"}
	takeAway := show(t, screen, codes[0]) // without anything the camera sees noise, which takes long here to look through
	c := start(t, device.ClassScanner, "usb-camera", registry.Connect{File: camera}, nil).(device.Scanner)
	for i, payload := range codes {
		if i > 0 {
			takeAway()
			takeAway = show(t, screen, payload)
		}
		if got := drivertest.Next(t, c, c.Scans()); got.Payload.Reveal() != payload || got.Symbology != "]Q1" {
			t.Errorf("read %q %s", got.Payload.Reveal(), got.Symbology)
		}
	}
	if err := c.(device.SelfTester).SelfTest(t.Context()); err != nil {
		t.Errorf("self-test: %v", err)
	}
	takeAway()
}

func TestACameraThatIsPulled(t *testing.T) {
	camera, _ := vivid(t)
	c := start(t, device.ClassScanner, "usb-camera", registry.Connect{File: camera}, nil)
	drivertest.Reaches(t, c, device.OK, "")
	set(t, camera, "Disconnect")
	drivertest.Reaches(t, c, device.Offline, device.CodeOffline)
}

func TestACameraThatAnotherProgramHas(t *testing.T) {
	camera, screen := vivid(t)
	other := openVideo(t, camera)
	request := [5]uint32{4, 1, 1} // buffers of an input, mapped
	if err := ioctl(other.Fd(), videoBuffers, uintptr(unsafe.Pointer(&request))); err != nil {
		t.Fatal(err)
	}
	c := start(t, device.ClassScanner, "usb-camera", registry.Connect{File: camera}, nil)
	drivertest.Reaches(t, c, device.Offline, device.CodeBusy)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, c, device.OK, "")
	no := start(t, device.ClassScanner, "usb-camera", registry.Connect{File: screen}, nil)
	drivertest.Reaches(t, no, device.Unusable, device.CodeUnsupported)
}
