package camscanner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"time"

	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/internal/v4l2"
	"halledge/firmware-protocols/mjpeg"
)

// picture is one picture as it came: a JPEG, or greys.
type picture struct {
	jpeg []byte
	grey *image.Gray
}

// maxPixels is the size of the biggest picture that is unpacked: a JPEG of a few bytes may say that it is as big as a memory.
const maxPixels = 1920 * 1200

var errTooBig = errors.New("a picture of too many pixels")

// gray unpacks a picture.
func (p picture) gray() (*image.Gray, error) {
	if p.grey != nil {
		return p.grey, nil
	}
	parsed, err := mjpeg.Parse(p.jpeg)
	switch {
	case err != nil:
		return nil, err
	case parsed.Width < 1 || parsed.Height < 1 || parsed.Width > maxPixels/parsed.Height:
		return nil, fmt.Errorf("%w: %d×%d", errTooBig, parsed.Width, parsed.Height)
	}
	// some cameras leave the end marker out; nobody looks at a second one
	img, err := jpeg.Decode(io.MultiReader(bytes.NewReader(parsed.Data), bytes.NewReader([]byte{0xFF, 0xD9})))
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		return &image.Gray{Pix: img.Y, Stride: img.YStride, Rect: img.Rect}, nil
	case *image.Gray:
		return img, nil
	}
	return nil, fmt.Errorf("a JPEG of %T", img)
}

// busy is how much there is in a picture, without unpacking it: as soon as something is held before the camera it changes.
func (p picture) busy() int {
	if p.grey == nil {
		return len(p.jpeg)
	}
	const every = 8 // rows
	sum := 0
	for y := 0; y < p.grey.Rect.Dy(); y += every {
		row := p.grey.Pix[y*p.grey.Stride:][:p.grey.Rect.Dx()]
		for x := 1; x < len(row); x++ {
			d := int(row[x]) - int(row[x-1])
			sum += max(d, -d)
		}
	}
	return sum
}

// camera is a video device.
type camera struct{ stream *v4l2.Stream }

func (c *camera) stop() { c.stream.Stop() }

func (c *camera) next(ctx context.Context, take func(picture)) error {
	f := c.stream.Form()
	return c.stream.Next(ctx, patience, func(b []byte) {
		if _, step := f.Pixel.Grey(); step > 0 {
			take(picture{grey: greys(b, f)})
			return
		}
		take(picture{jpeg: bytes.Clone(bytes.TrimRight(b, "\x00"))}) // some cameras fill the buffer up
	})
}

// greys copies the greys out of a picture. One that breaks off ends black.
func greys(b []byte, f v4l2.Form) *image.Gray {
	first, step := f.Pixel.Grey()
	img := image.NewGray(image.Rect(0, 0, f.Width, f.Height))
	for y := range f.Height {
		row := b[min(y*f.Stride+first, len(b)):]
		to := img.Pix[y*img.Stride:][:f.Width]
		for x := range to {
			if x*step >= len(row) {
				return img
			}
			to[x] = row[x*step]
		}
	}
	return img
}

// lineSource is a program or a device that sends JPEGs one after the other, over a pipe, TCP or a serial line.
type lineSource struct {
	conn    transport.Conn
	scanner *Scanner
	reader  mjpeg.Reader
	counted int // garbage that the health knows of
	buf     [32 << 10]byte
	late    time.Time // when the next picture must be there
}

func (l *lineSource) stop() {}

func (l *lineSource) next(_ context.Context, take func(picture)) error {
	l.late = time.Now().Add(patience)
	garbage := l.reader.Garbage()
	for {
		if err := l.conn.SetReadDeadline(l.late); err != nil {
			return err
		}
		n, err := l.conn.Read(l.buf[:])
		if err == nil && time.Now().After(l.late) { // bytes without end and no picture
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			return session.Unanswered(err, l.reader.Garbage() > garbage)
		}
		pictures := l.reader.Feed(l.buf[:n])
		if g := l.reader.Garbage(); g > l.counted {
			l.scanner.session.Garbage(g - l.counted)
			l.counted = g
		}
		if len(pictures) > 0 {
			take(picture{jpeg: pictures[len(pictures)-1]})
			return nil
		}
	}
}
