package paper_test

import (
	"bytes"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	"halledge/test/fakes/paper"
)

func narrow(t testing.TB) paper.Printer {
	t.Helper()
	font, err := paper.LoadFont()
	if err != nil {
		t.Fatal(err)
	}
	return paper.Printer{Dots: 384, Charset: "gbk", Font: font}
}

func printed(t *testing.T, p paper.Printer, job string) *paper.Sheet {
	t.Helper()
	s, err := p.Print([]byte(job))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ink is the smallest rectangle around what is black.
func ink(s *paper.Sheet) (box image.Rectangle) {
	for y := range s.Image.Rect.Dy() {
		for x := range s.Image.Rect.Dx() {
			if s.Image.GrayAt(x, y).Y == 0 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

const hall = "\xb4\xf3\xcc\xfc" // 大厅

// TestText has jobs as the makers' manuals spell them.
func TestText(t *testing.T) {
	for job, want := range map[string]string{
		"\x1b@A001\n":         "A001",
		"\x1b@" + hall + "\n": "大厅",
		"\x1ba\x01\x1d!\x12" + hall + "A\x1d!\x00B\n":    "{centre}{2x3}大厅A{}B",
		"\x1c!\x0c" + hall + "A\n":                       "{2x2}大厅{}A",
		"\x1d!\x33\x1c!\x0c" + hall + "\x1c!\x00\n":      "{2x2}大厅",
		"\x1bE\x01A\x1bE\x00B\n":                         "{bold}A{}B",
		"\x1ba\x02\x1b!\x38A\n":                          "{right}{2x2 bold}A",
		strings.Repeat("A", 33) + "\n":                   strings.Repeat("A", 32) + "\nA",
		"A\x1bd\x03\x1dVB\x00":                           "A\n[feed 2]\n[partial cut]",
		"A\n\x1bd\x05\x1dV\x00":                          "A\n[feed 5]\n[full cut]",
		"\x10\x04\x01\x1da\x0eA\n\x1dr\x01\x1bB\x01\x02": "A\n[beep 1]",
		"\x1b\x07\x02\x01\x01\x1b\x1d\x07\x01\x0a\x01":   "[beep 1]\n[beep 1]",
		"\x1bt\x0f\x1c.\x1c&\x00\x00A\n":                 "A",
		"\x1cp\x01\x00":                                  "[stored picture 1]",
	} {
		if got := printed(t, narrow(t), job).Text(); got != want+"\n" {
			t.Errorf("%q prints\n%s\nwant\n%s", job, got, want)
		}
	}
}

func TestSizesInDots(t *testing.T) {
	p := narrow(t)
	for job, want := range map[string]image.Point{ // where the letters' cell is from the left, how much paper they take
		"H\n":                                {0, 34},
		"\x1ba\x01H\n":                       {186, 34},
		"\x1ba\x02\x1d!\x77H\n":              {288, 192},
		"\x1b3\x18H\n":                       {0, 24},
		"\x1b3\x00\x1b2H\n":                  {0, 34},
		"H\n\x1bJ\x14":                       {0, 54},
		"\x1dv0\x00\x01\x00\x02\x00\x80\x80": {0, 2},
	} {
		s := printed(t, p, job)
		if box := ink(s); box.Min.X < want.X || box.Min.X >= want.X+96 || s.Image.Rect.Dy() != want.Y {
			t.Errorf("%q: black is %v on %d rows, want %v", job, box, s.Image.Rect.Dy(), want)
		}
	}
	p.Dots = 512 // at 180 dpi
	if s := printed(t, p, "A\n"); s.Image.Rect.Dy() != 30 {
		t.Errorf("a line of 180 dpi takes %d dots", s.Image.Rect.Dy())
	}
	one, four := ink(printed(t, p, "8\n")), ink(printed(t, p, "\x1d!\x338\n"))
	if four.Dx() != 4*one.Dx() || four.Dy() != 4*one.Dy() {
		t.Errorf("a digit is %v, four times larger %v", one, four)
	}
}

// TestRefusals has what must never reach a printer.
func TestRefusals(t *testing.T) {
	plain := narrow(t)
	noCodes := plain
	noCodes.NoQR, noCodes.NoBarcode = true, true
	for job, p := range map[string]paper.Printer{
		"A":                      plain, // no end
		"\x01":                   plain,
		"\x1bp\x00\x32\x32":      plain, // cash drawer
		"\x1d(A\x02\x00\x00\x02": plain,
		"\x10\x14\x02\x01\x08":   plain, // power off
		"A\x1ba\x01\n":           plain,
		"\x1c.\xb4\xf3\n":        plain,
		"\xb4":                   plain,
		"\xb4\x20\n":             plain,
		"\x81\x30\x81\x30\n":     plain, // four bytes
		"A\n\x1dV\x00":           plain, // through the line
		"\x1dv0\x00\x31\x00\x01\x00" + strings.Repeat("\xff", 49):         plain, // wider than the head
		"\x1dv0\x00\x02\x00\x01\x00\x10\x04":                              plain, // a question inside a picture
		"\x1dv0\x00\x02\x00\x01\x00\xff":                                  plain, // short
		"\x1d(k\x03\x001Q0":                                               plain, // nothing stored
		"\x1dk\x49\x03{A\x01":                                             plain,
		"\x1dk\x49\x03{C\x64":                                             plain,
		"\x1dw\x06\x1dk\x49\x0c{BABCDEFGHIJ":                              plain, // too wide: nothing is printed
		"\x1dk\x04A001\x00":                                               plain,
		"\x1d(k\x08\x001P0A001\x1d(k\x03\x001Q0":                          noCodes,
		"\x1dk\x49\x06{BA001":                                             noCodes,
		strings.Repeat("\x1bd\xff", 20) + strings.Repeat("\x1bJ\xff", 80): plain,
	} {
		if s, err := p.Print([]byte(job)); err == nil {
			t.Errorf("%q prints\n%s", job, s.Text())
		}
	}
}

const (
	qrJob  = "\x1ba\x01\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1\x1d(k\x10\x001P0\xe5\xa4\xa7\xe5\x8e\x85 A001/x\x1d(k\x03\x001Q0"
	barJob = "\x1ba\x01\x1dh\x50\x1dw\x02\x1dH\x00\x1dk\x49\x0a{BA001/{{z"
	twoJob = "\x1ba\x01\x1dh\x50\x1dw\x03\x1dk\x49\x06{C\x14\x1a\x03\x63"
)

// TestCodesAreReadByOthers has the printed codes read by two decoders that are not ours.
func TestCodesAreReadByOthers(t *testing.T) {
	for job, want := range map[string]string{qrJob: "大厅 A001/x", barJob: "A001/{z", twoJob: "20260399"} {
		s := printed(t, narrow(t), job)
		if !strings.HasSuffix(s.Text(), "] "+want+"\n") {
			t.Errorf("transcript %q, want %q", s.Text(), want)
		}
		picture := &bytes.Buffer{}
		if err := s.PNG(picture); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "slip.png")
		if err := os.WriteFile(file, picture.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("zbarimg", "-q", "--nodbus", "--raw", file).Output()
		if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != want {
			t.Errorf("zbar reads %q, %v; want %q", got, err, want)
		}
		if got := scanned(t, s.Image); !slices.Contains(got, want) {
			t.Errorf("gozxing reads %q, want %q", got, want)
		}
	}
}

// scanned is what gozxing reads on a picture.
func scanned(t *testing.T, img image.Image) (texts []string) {
	t.Helper()
	bits, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range []gozxing.Reader{qrcode.NewQRCodeReader(), oned.NewCode128Reader()} {
		if r, err := reader.Decode(bits, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}); err == nil {
			texts = append(texts, r.GetText())
		}
	}
	return texts
}

// FuzzPrint holds the paper to this: any bytes are either refused or give a sheet that fits the head.
func FuzzPrint(f *testing.F) {
	for _, job := range []string{qrJob, barJob, twoJob, "\x1b@\x1c&" + hall + "\n\x1bd\x05\x1dVB\x00", "\x1dv0\x00\x01\x00\x02\x00\x80\x80"} {
		f.Add([]byte(job), uint8(0))
	}
	p := narrow(f)
	charsets := []string{"gbk", "gb18030", "utf-8", "ascii"}
	f.Fuzz(func(t *testing.T, job []byte, charset uint8) {
		p := p
		p.Charset = charsets[int(charset)%len(charsets)]
		s, err := p.Print(job)
		if s == nil {
			t.Fatal("no sheet", err)
		}
		if s.Image.Rect.Dx() != p.Dots || len(s.Image.Pix) != p.Dots*s.Image.Rect.Dy() {
			t.Errorf("a sheet of %v", s.Image.Rect)
		}
		for _, c := range s.Cuts {
			if c.Row < 0 || c.Row > s.Image.Rect.Dy() {
				t.Errorf("cut at row %d of %d", c.Row, s.Image.Rect.Dy())
			}
		}
	})
}
