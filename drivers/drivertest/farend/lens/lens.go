// Package lens plays a camera that sends what is held before it, as JPEGs one after the other.
package lens

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"halledge/firmware-protocols/qr"
)

// every is the time from one picture to the next.
const every = 50 * time.Millisecond

// Camera sees a table until something is held before it. Its zero value is ready.
type Camera struct {
	mu    sync.Mutex
	on    int    // lines it is plugged into
	shows []byte // nil: the table
	left  int    // so many pictures more, then it is taken away; 0: it stays
}

// Serve implements farend.Serve.
func (c *Camera) Serve(rw io.ReadWriter) {
	c.plug(1)
	defer c.plug(-1)
	pulled := make(chan struct{})
	go func() {
		defer close(pulled)
		_, _ = io.Copy(io.Discard, rw) // nobody tells a camera anything
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := rw.Write(c.picture()); err != nil {
			<-pulled
			return
		}
		select {
		case <-pulled:
			return
		case <-tick.C:
		}
	}
}

func (c *Camera) plug(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on += n
}

func (c *Camera) picture() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shows == nil {
		c.shows = encoded(table(320, 260))
	}
	shows := c.shows
	if c.left > 0 {
		if c.left--; c.left == 0 {
			c.shows = nil
		}
	}
	return shows
}

// Show holds a code before the camera until something else is. It gives false while the camera is unplugged.
func (c *Camera) Show(payload string) (bool, error) { return c.hold(payload, false, 0) }

// Pass holds a code there for a moment, as people do.
func (c *Camera) Pass(payload string) (bool, error) { return c.hold(payload, false, moment) }

// Spoil holds a code there of which half is torn off.
func (c *Camera) Spoil(payload string) (bool, error) { return c.hold(payload, true, 0) }

// moment is how long people hold something there, in pictures: two seconds.
const moment = int(2 * time.Second / every)

func (c *Camera) hold(payload string, torn bool, pictures int) (bool, error) {
	sheet, err := code(payload, torn)
	if err != nil {
		return false, err
	}
	shows := encoded(sheet)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on == 0 {
		return false, nil
	}
	c.shows, c.left = shows, pictures
	return true, nil
}

// code gives a table with a code on it, a bigger one for a long text.
func code(payload string, torn bool) (*image.Gray, error) {
	w, h, side := 320, 260, 230
	if len(payload) > 200 {
		w, h, side = 960, 760, 720
	}
	m, err := qr.Draw(payload, side)
	if err != nil {
		return nil, fmt.Errorf("hold a code before the camera: %w", err)
	}
	sheet := table(w, h)
	at := image.Pt((w-side)/2, (h-side)/2)
	draw.Draw(sheet, m.Bounds().Add(at), m, image.Point{}, draw.Src)
	if torn {
		tear(sheet, at, side)
	}
	return sheet, nil
}

// tear puts other squares over more of a code than it can do without, and over none of what tells that it is one.
func tear(sheet *image.Gray, at image.Point, side int) {
	const square = 5
	random := rand.New(rand.NewPCG(7, 7))
	for y := side * 40 / 100; y < side*62/100; y += square {
		for x := side * 40 / 100; x < side*85/100; x += square {
			v := color.Gray{Y: uint8(random.IntN(2) * 255)}
			draw.Draw(sheet, image.Rect(x, y, x+square, y+square).Add(at), image.NewUniform(v), image.Point{}, draw.Src)
		}
	}
}

// table is what a camera sees when nothing is held before it.
func table(w, h int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(110 + 40*(i%w)/w)
	}
	return img
}

func encoded(img *image.Gray) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}) // fails only for sizes beyond 65535 and a writer that does
	return b.Bytes()
}
