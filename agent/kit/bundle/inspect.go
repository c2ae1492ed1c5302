package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is shown. A screen has 1920 × 1080 dots, the largest four times as many; what is decoded takes up to four bytes a dot.
const (
	maxSide = 4096
	maxDots = 3840 * 2160
	minSide = 16
	maxText = 600 // characters
	maxRows = 24
)

// Look looks through the content of an item and gives the size of a picture in dots, nothing for a text. It fails with *Error unless the
// content is of the type as a whole: a picture is decoded.
func Look(t Type, data []byte) (image.Point, error) {
	size, err := look(t, data)
	if err != nil {
		return image.Point{}, &Error{Code: CodeContent, Err: err}
	}
	return size, nil
}

func look(t Type, data []byte) (image.Point, error) {
	switch t {
	case PNG:
		return picture(data, png.DecodeConfig, png.Decode)
	case JPEG:
		return picture(data, jpeg.DecodeConfig, jpeg.Decode)
	case Text:
		return image.Point{}, words(data)
	}
	return image.Point{}, errors.New("not one of the types")
}

// picture reads the size that a picture says it has before it takes memory for it.
func picture(data []byte, config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error)) (image.Point, error) {
	c, err := config(bytes.NewReader(data))
	if err != nil {
		return image.Point{}, err
	}
	if c.Width < minSide || c.Height < minSide || c.Width > maxSide || c.Height > maxSide || c.Width*c.Height > maxDots {
		return image.Point{}, fmt.Errorf("%d × %d dots", c.Width, c.Height)
	}
	all, err := decode(bytes.NewReader(data))
	if err != nil {
		return image.Point{}, err
	}
	return all.Bounds().Size(), nil
}

// Dots gives the size of a picture that was looked through before, nothing for a text.
func Dots(t Type, data []byte) image.Point {
	var c image.Config
	switch t {
	case PNG:
		c, _ = png.DecodeConfig(bytes.NewReader(data))
	case JPEG:
		c, _ = jpeg.DecodeConfig(bytes.NewReader(data))
	}
	return image.Pt(c.Width, c.Height)
}

// words takes letters and line breaks alone: nothing that turns the direction of writing or that nobody sees.
func words(data []byte) error {
	text := string(data)
	switch {
	case !utf8.ValidString(text):
		return errors.New("not UTF-8")
	case utf8.RuneCountInString(text) > maxText || strings.Count(text, "\n") >= maxRows:
		return errors.New("too long")
	case strings.TrimSpace(text) == "":
		return errors.New("empty")
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) && r != '\u3000' {
			return fmt.Errorf("character %U", r)
		}
	}
	return nil
}
