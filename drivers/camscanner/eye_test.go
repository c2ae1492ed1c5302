package camscanner

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/internal/v4l2"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/mjpeg"
	"halledge/firmware-protocols/qr"
)

func newScanner(t *testing.T) *Scanner {
	t.Helper()
	d, err := New(registry.Config{Name: "kiosk-1.scanner", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Scanner)
}

func TestTheSameCodeIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	s := newScanner(t)
	now := time.Now()
	see := func(text string, after time.Duration) {
		now = now.Add(after)
		s.eye.read(qr.Code{Text: text, Symbology: qr.QR}, now)
	}
	for range 30 { // held there for three seconds
		see("A001", 100*time.Millisecond)
	}
	if len(s.scans) != 1 {
		t.Fatalf("%d codes of one that is held there", len(s.scans))
	}
	if got := <-s.scans; got.Payload.Reveal() != "A001" || got.Symbology != "]Q1" {
		t.Errorf("%q %s", got.Payload.Reveal(), got.Symbology)
	}
	see("A002", 100*time.Millisecond)
	see("A002", 2100*time.Millisecond) // it was away meanwhile
	if len(s.scans) != 2 {
		t.Errorf("%d codes, want one and the same again", len(s.scans))
	}
}

// A code that is turned before the camera until it is read was no mistake, and one that is only seen for a moment none either.
func TestUnclearCodesAreToldOnlyWhenTheyStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScanner(t)
		torn := tornCode(t)
		none := image.NewGray(image.Rect(0, 0, 64, 64))
		see := func(img *image.Gray, wait time.Duration) {
			s.eye.look(t.Context(), img)
			time.Sleep(wait)
		}
		see(torn, time.Second)
		see(none, time.Second)
		see(torn, 500*time.Millisecond)
		if len(s.unread.C()) > 0 {
			t.Fatal("told of a code that was there for a moment")
		}
		for range 4 {
			see(torn, 500*time.Millisecond)
		}
		select {
		case u := <-s.unread.C():
			if u.Fault != device.ScanUnreadable {
				t.Errorf("told %s", u.Fault)
			}
		default:
			t.Error("nobody was told of a code that stayed")
		}
	})
}

// tornCode is a code whose finders are there and whose squares are not.
func tornCode(t *testing.T) *image.Gray {
	t.Helper()
	m, err := qr.Draw("A001", 210)
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(m.Bounds())
	for i := range img.Pix {
		x, y := i%img.Stride, i/img.Stride
		r, _, _, _ := m.At(x, y).RGBA()
		img.Pix[i] = uint8(r >> 8)
		if x > 95 && y > 95 && x < 180 && y < 180 {
			img.Pix[i] = uint8((x / 7 * 5 % 3) * 127)
		}
	}
	return img
}

func TestLooksRarelyWhileNothingHappens(t *testing.T) {
	t.Parallel()
	s := newScanner(t)
	e := &s.eye
	start := time.Now()
	e.looked, e.busy = start, 10000
	same, more := picture{jpeg: make([]byte, 10050)}, picture{jpeg: make([]byte, 11000)}
	for _, c := range []struct {
		p    picture
		at   time.Duration
		want bool
	}{
		{same, 100 * time.Millisecond, false}, {same, 900 * time.Millisecond, false}, {same, idle, true},
		{more, 50 * time.Millisecond, false}, {more, 100 * time.Millisecond, true}, // something is held there
		{same, 200 * time.Millisecond, true}, {same, awake + 200*time.Millisecond - idle, true},
	} {
		if got := e.due(c.p, start.Add(c.at)); got != c.want {
			t.Errorf("after %s: %v", c.at, got)
		}
	}
	e.looked, e.stirred = start, start.Add(-awake)
	if e.due(same, start.Add(200*time.Millisecond)) {
		t.Error("it never comes to rest")
	}
}

func TestGreysOfRawPictures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent []byte
		form v4l2.Form
		want []byte
	}{
		"YUYV":                 {[]byte{10, 128, 20, 128, 0xEE, 0xEE, 30, 128, 40, 128, 0xEE, 0xEE}, v4l2.Form{Pixel: v4l2.YUYV, Width: 2, Height: 2, Stride: 6}, []byte{10, 20, 30, 40}},
		"UYVY":                 {[]byte{128, 10, 128, 20, 128, 30, 128, 40}, v4l2.Form{Pixel: v4l2.UYVY, Width: 2, Height: 2, Stride: 4}, []byte{10, 20, 30, 40}},
		"NV12":                 {[]byte{10, 20, 30, 40, 128, 128}, v4l2.Form{Pixel: v4l2.NV12, Width: 2, Height: 2, Stride: 2}, []byte{10, 20, 30, 40}},
		"GREY that breaks off": {[]byte{1, 2, 3, 0xEE, 4, 5}, v4l2.Form{Pixel: v4l2.GREY, Width: 3, Height: 3, Stride: 4}, []byte{1, 2, 3, 4, 5, 0, 0, 0, 0}},
		"UYVY that breaks off": {[]byte{128}, v4l2.Form{Pixel: v4l2.UYVY, Width: 1, Height: 1, Stride: 2}, []byte{0}},
	} {
		if got := greys(c.sent, c.form); !bytes.Equal(got.Pix, c.want) {
			t.Errorf("%s: %v", name, got.Pix)
		}
	}
}

// The JPEGs of cameras differ from those of files: an AVI1 marker, no Huffman tables, sometimes no end, and a picture of which the rest
// was lost.
func TestJPEGsOfCameras(t *testing.T) {
	t.Parallel()
	file := encoded(t, 64, 48)
	avi1 := append([]byte{0xFF, 0xE0, 0, 16}, "AVI1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	i := bytes.Index(file, []byte{0xFF, 0xC4})
	n := 2 + int(file[i+2])<<8 + int(file[i+3])
	sent := slices.Concat(file[:2], avi1, file[2:i], file[i+n:])
	for name, data := range map[string][]byte{"whole": sent, "filled up": append(bytes.Clone(sent), make([]byte, 100)...), "without an end": sent[:len(sent)-2]} {
		if img, err := (picture{jpeg: data}).gray(); err != nil || img.Rect.Dx() != 64 || img.Pix[0] > 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	scan := bytes.Index(sent, []byte{0xFF, 0xDA})
	if _, err := (picture{jpeg: sent[:scan+12]}).gray(); err == nil {
		t.Error("a picture of which nearly all was lost passes as one")
	}
}

func encoded(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A JPEG of a few hundred bytes may say that it has a thousand million pixels: it is not unpacked.
func TestBombsAreNotUnpacked(t *testing.T) {
	t.Parallel()
	bomb := encoded(t, 16, 16)
	i := bytes.Index(bomb, []byte{0xFF, 0xC0})
	copy(bomb[i+5:], []byte{0xFF, 0xFF, 0xFF, 0xFF}) // height and width
	if _, err := (picture{jpeg: bomb}).gray(); !errors.Is(err, errTooBig) {
		t.Error(err)
	}
	if _, err := (picture{jpeg: []byte("no picture")}).gray(); !errors.Is(err, mjpeg.ErrPicture) {
		t.Error(err)
	}
	if img, err := (picture{jpeg: encoded(t, 16, 16)}).gray(); err != nil || img.Rect.Dx() != 16 {
		t.Errorf("a small one: %v", err)
	}
}

func TestSelfTestSeesACoveredLens(t *testing.T) {
	t.Parallel()
	dark, lit := image.NewGray(image.Rect(0, 0, 100, 100)), image.NewGray(image.Rect(0, 0, 100, 100))
	dark.Pix[7] = 255 // a pixel that is stuck
	for i := range lit.Pix {
		lit.Pix[i] = uint8(i % 60)
	}
	if !lightOf(dark).dark() || lightOf(lit).dark() {
		t.Errorf("dark %d, lit %d", lightOf(dark), lightOf(lit))
	}
}

// wire makes a Conn of one end of a net.Pipe.
type wire struct{ net.Conn }

func (wire) Drain(context.Context) error { return nil }

func (wire) PortStatus() (transport.PortStatus, error) {
	return transport.PortStatus{}, &device.Error{Code: device.CodeUnsupported}
}

func TestNoPictures(t *testing.T) {
	for name, c := range map[string]struct {
		sent []byte
		want device.Code
	}{
		"silence":          {nil, device.CodeNoPicture},
		"noise":            {bytes.Repeat([]byte{0xF0, 0xC3, 0x99}, 300), device.CodeBadReply},
		"half of a JPEG":   {encoded(t, 16, 16)[:200], device.CodeNoPicture},
		"JPEGs of nothing": {bytes.Repeat([]byte{0xFF, 0xD8, 0xFF, 0xDA, 0, 2, 0xFF, 0xD9}, manyBad+5), device.CodeBadReply},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScanner(t)
				host, far := net.Pipe()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for i := 0; i < len(c.sent); i += 8 { // one at a time, so that each is looked at
						if _, err := far.Write(c.sent[i:min(i+8, len(c.sent))]); err != nil {
							return
						}
						time.Sleep(time.Millisecond)
					}
				}()
				err := s.serve(t.Context(), wire{host})
				if drivertest.Code(err) != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
				if err := errors.Join(host.Close(), far.Close()); err != nil {
					t.Error(err)
				}
				<-sent
			})
		})
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	s := newScanner(t)
	for _, c := range []struct {
		err  error
		want device.Code
	}{
		{syscall.EBUSY, device.CodeBusy}, {syscall.ENOSPC, device.CodeBusy}, {syscall.ENODEV, device.CodeOffline}, {v4l2.ErrNoForm, device.CodeUnsupported},
		{v4l2.ErrNoCapture, device.CodeUnsupported}, {os.ErrDeadlineExceeded, device.CodeNoPicture}, {io.ErrUnexpectedEOF, device.CodeBadReply},
		{session.Unanswered(os.ErrDeadlineExceeded, true), device.CodeBadReply},
	} {
		if err := s.verdict(c.err); drivertest.Code(err) != c.want {
			t.Errorf("%v: %v, want %s", c.err, err, c.want)
		}
	}
	if err := s.verdict(syscall.ENODEV); !errors.Is(err, transport.ErrGone) {
		t.Errorf("pulled: %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	drivertest.Refuses(t, New, map[string]string{"size": "8000x6000", "rate": "0", "repeat": "1h", "colour": "yes"})
}

// BenchmarkLook is what the picture of an empty table costs, which is unpacked every three seconds while nobody comes, and one with a
// code that was just put there.
func BenchmarkLook(b *testing.B) {
	table := image.NewGray(image.Rect(0, 0, 1280, 720))
	grain := rand.New(rand.NewPCG(1, 2))
	for i := range table.Pix {
		table.Pix[i] = uint8(90 + float64(i%1280)/20 + 2.5*grain.NormFloat64())
	}
	m, err := qr.Draw("YSS-SIM-0001", 300)
	if err != nil {
		b.Fatal(err)
	}
	held := image.NewGray(table.Rect)
	copy(held.Pix, table.Pix)
	draw.Draw(held, m.Bounds().Add(image.Pt(400, 200)), m, image.Point{}, draw.Src)
	for name, img := range map[string]image.Image{"table": table, "code": held} {
		b.Run(name, func(b *testing.B) {
			d, err := New(registry.Config{Name: "kiosk-1.scanner", Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			s := d.(*Scanner)
			var data bytes.Buffer
			if err := jpeg.Encode(&data, img, nil); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				got, err := picture{jpeg: data.Bytes()}.gray()
				if err != nil {
					b.Fatal(err)
				}
				s.eye.look(b.Context(), got)
			}
		})
	}
}
