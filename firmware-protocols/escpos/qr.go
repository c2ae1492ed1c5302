package escpos

import "errors"

// What can be wrong with a QR code: it cannot be printed large enough for a phone to read it, or holds nothing printable, and then printers
// print what they stored before.
var (
	ErrQRTooLong = errors.New("escpos: QR code does not fit the paper")
	ErrQREmpty   = errors.New("escpos: QR code holds nothing printable")
)

const (
	defaultDot = 6   // 0.75 mm at 203 dpi
	minDot     = 3   // phones need about 0.4 mm a module
	maxDot     = 16  // ESC/POS's own limit
	quiet      = 4   // modules of white on each side
	stripRows  = 128 // raster rows a command: small printers' buffers overflow on more
)

// qrCapacity is how many bytes versions 1 to 40 hold at error correction M (ISO/IEC 18004, table 7).
var qrCapacity = [40]int{
	14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666,
	711, 779, 857, 911, 997, 1059, 1125, 1190, 1264, 1370, 1452, 1538, 1628, 1722, 1809, 1911, 1989, 2099, 2213, 2331,
}

// QRDot is the module size in dots for a payload of n bytes at error correction M: the wished size (0: 6 dots), or less where
// the code would be wider than the paper. Under 3 dots it fails with ErrQRTooLong.
func (l Layout) QRDot(n, wish int) (int, error) {
	for i, capacity := range qrCapacity {
		if n <= capacity {
			return l.fit(17+4*(i+1), wish)
		}
	}
	return 0, ErrQRTooLong
}

// fit is QRDot for a symbol of that many modules a side.
func (l Layout) fit(side, wish int) (int, error) {
	if wish == 0 {
		wish = defaultDot
	}
	dot := min(clamp(wish, minDot, maxDot), l.Dots/(side+2*quiet))
	if dot < minDot {
		return 0, ErrQRTooLong
	}
	return dot, nil
}

// QR prints a QR code with the printer's own commands. The printable part of payload goes as UTF-8, which phones expect; dot
// is the wished module size, see QRDot. After an error the job is as it was before.
func (b *Builder) QR(payload string, dot int, align Align) error {
	data := Printable(payload)
	if data == "" {
		return ErrQREmpty
	}
	dot, err := b.layout.QRDot(len(data), dot)
	if err != nil {
		return err
	}
	b.Align(align)
	b.qr('A', '2', 0)    // model 2
	b.qr('C', byte(dot)) // module size
	b.qr('E', '1')       // error correction M
	b.qr('P', append([]byte{'0'}, data...)...)
	b.qr('Q', '0') // print what was stored
	b.Align(Left)
	return nil
}

// qr appends one function of GS ( k for QR codes.
func (b *Builder) qr(function byte, params ...byte) {
	n := len(params) + 2
	b.add(gs, '(', 'k', byte(n), byte(n>>8), '1', function)
	b.add(params...)
}

// QRPicture prints a ready QR symbol as a picture, for printers without QR commands. side is its size in modules without
// margin. A module is 3 dots or more, so no picture byte has a lone black dot and none is DLE, which printers obey even
// inside pictures.
func (b *Builder) QRPicture(side int, dark func(x, y int) bool, dot int, align Align) error {
	dot, err := b.layout.fit(side, dot)
	if err != nil {
		return err
	}
	m := NewBitmap(side*dot, side*dot)
	for y := range m.Height {
		for x := range m.Width {
			if dark(x/dot, y/dot) {
				m.Blacken(x, y)
			}
		}
	}
	return b.Picture(m, align)
}
