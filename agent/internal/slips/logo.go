package slips

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"
)

// Bounds of a logo: far more than any printer prints.
const (
	maxLogoFile = 1 << 20
	maxLogoSide = 2048
)

// errLogo says that a picture is too large or empty.
var errLogo = errors.New("a logo has at most 1 MiB and 2048 by 2048 pixels")

// LoadLogo reads the hall's logo, a PNG file, in grey on white paper.
func LoadLogo(path string) (*image.Gray, error) {
	logo, err := loadLogo(path)
	if err != nil {
		return nil, fmt.Errorf("load logo %s: %w", path, err)
	}
	return logo, nil
}

func loadLogo(path string) (*image.Gray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLogoFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	size, err := png.DecodeConfig(bytes.NewReader(data))
	switch {
	case len(data) > maxLogoFile:
		return nil, errLogo
	case err != nil:
		return nil, err
	case size.Width < 1 || size.Height < 1 || size.Width > maxLogoSide || size.Height > maxLogoSide:
		return nil, errLogo
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	logo := image.NewGray(image.Rect(0, 0, size.Width, size.Height))
	draw.Draw(logo, logo.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(logo, logo.Rect, picture, picture.Bounds().Min, draw.Over)
	return logo, nil
}
