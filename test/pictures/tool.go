package pictures

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os/exec"
	"strings"
)

// magick passes a picture through ImageMagick's convert.
func magick(ctx context.Context, img *image.Gray, args ...string) (*image.Gray, error) {
	all := append([]string{"-size", size(img), "-depth", "8", "gray:-"}, args...)
	return passed(ctx, img, "convert", append(all, "-depth", "8", "gray:-"))
}

// ffmpeg passes a picture through a filter of ffmpeg.
func ffmpeg(ctx context.Context, img *image.Gray, filter string) (*image.Gray, error) {
	return passed(ctx, img, "ffmpeg", append(from(img), "-vf", filter, "-f", "rawvideo", "-pix_fmt", "gray", "-"))
}

// photographed gives a picture as a camera sends it: one of MJPEG, worse the higher quantizer (2 to 31) is.
func photographed(ctx context.Context, img *image.Gray, quantizer int) (*image.Gray, error) {
	q := fmt.Sprint(quantizer)
	args := append(from(img), "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-qmin", q, "-qmax", q, "-f", "mjpeg", "-")
	out, err := run(ctx, img, "ffmpeg", args)
	if err != nil {
		return nil, err
	}
	return grayOf(out)
}

// compressed gives a picture as a JPEG of a quality from 1 to 100.
func compressed(img *image.Gray, quality int) (*image.Gray, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return grayOf(b.Bytes())
}

func grayOf(data []byte) (*image.Gray, error) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.Gray:
		return img, nil
	case *image.YCbCr:
		return &image.Gray{Pix: img.Y, Stride: img.YStride, Rect: img.Rect}, nil
	}
	return nil, fmt.Errorf("a JPEG of type %T", img)
}

func size(img *image.Gray) string { return fmt.Sprintf("%dx%d", img.Rect.Dx(), img.Rect.Dy()) }

func from(img *image.Gray) []string {
	return []string{"-v", "error", "-threads", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-s", size(img), "-i", "-"}
}

func passed(ctx context.Context, img *image.Gray, program string, args []string) (*image.Gray, error) {
	out, err := run(ctx, img, program, args)
	if err != nil {
		return nil, err
	}
	if len(out) != len(img.Pix) {
		return nil, fmt.Errorf("%s %s gave %d bytes for %d", program, strings.Join(args, " "), len(out), len(img.Pix))
	}
	return &image.Gray{Pix: out, Stride: img.Stride, Rect: img.Rect}, nil
}

func run(ctx context.Context, img *image.Gray, program string, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(img.Pix)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, said.String())
	}
	return out, nil
}
