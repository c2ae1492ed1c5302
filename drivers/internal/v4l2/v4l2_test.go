package v4l2

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The numbers and places as a C program prints them that includes linux/videodev2.h. A structure that is too long or too short makes
// another number.
func TestRequests(t *testing.T) {
	for name, r := range map[string]struct{ got, want uintptr }{
		"QUERYCAP": {reqCapability, 0x80685600}, "ENUM_FMT": {reqFormats, 0xC0405602}, "S_FMT": {reqSetFormat, 0xC0D05605},
		"REQBUFS": {reqBuffers, 0xC0145608}, "QUERYBUF": {reqBuffer, 0xC0585609}, "QBUF": {reqQueue, 0xC058560F},
		"DQBUF": {reqDequeue, 0xC0585611}, "STREAMON": {reqOn, 0x40045612}, "STREAMOFF": {reqOff, 0x40045613}, "S_PARM": {reqParameters, 0xC0CC5616},
		"S_CTRL": {reqSetting, 0xC008561C},
	} {
		if r.got != r.want {
			t.Errorf("VIDIOC_%s is %#x, want %#x", name, r.got, r.want)
		}
	}
	for name, o := range map[string]struct{ got, want uintptr }{
		"capability.device_caps": {unsafe.Offsetof(capability{}.own), 88}, "fmtdesc.pixelformat": {unsafe.Offsetof(description{}.pixel), 44},
		"format.width": {unsafe.Offsetof(format{}.width), 8}, "format.sizeimage": {unsafe.Offsetof(format{}.size), 28},
		"parm.timeperframe": {unsafe.Offsetof(parameters{}.numerator), 12}, "buffer.memory": {unsafe.Offsetof(buffer{}.memory), 60},
		"buffer.offset": {unsafe.Offsetof(buffer{}.offset), 64}, "buffer.length": {unsafe.Offsetof(buffer{}.length), 72},
	} {
		if o.got != o.want {
			t.Errorf("%s is at %d, want %d", name, o.got, o.want)
		}
	}
}

func TestPixel(t *testing.T) {
	if MJPG.String() != "MJPG" || YUYV.String() != "YUYV" {
		t.Errorf("%s %s", MJPG, YUYV)
	}
}

func TestSane(t *testing.T) {
	for f, want := range map[Form]bool{
		{MJPG, 1280, 720, 0}: true, {YUYV, 640, 480, 1280}: true, {GREY, 640, 480, 640}: true,
		{MJPG, 0, 720, 0}: false, {MJPG, 1280, 1 << 20, 0}: false, {YUYV, 640, 480, 640}: false, {GREY, 640, 480, 0}: false,
		{GREY, 640, 480, 1 << 24}: false,
	} {
		if got := f.sane(); got != want {
			t.Errorf("%+v: %v", f, got)
		}
	}
}

// What is no camera says so, and leaves nothing behind.
func TestNoCamera(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, "/dev/null"} {
		f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Start(raw, Wish{640, 480, 15}); !errors.Is(err, ErrNotVideo) {
			t.Errorf("%s: %v", path, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := Start(raw, Wish{640, 480, 15}); err == nil || errors.Is(err, ErrNotVideo) {
			t.Errorf("%s after its end: %v", path, err)
		}
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := new(Stream).Next(ctx, time.Hour, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
