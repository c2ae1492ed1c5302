package escpos

// Bounds of one command. A command that claims to be longer is noise.
const (
	maxPicture = 1 << 20 // bytes of a picture
	maxBlock   = 8192    // bytes after the length of GS ( and FS (; the largest QR code has 7089
	maxName    = 255     // bytes of what ends with NUL
)

// commandLength is how long a command is, as far as its first bytes (two or more) tell: more than len(c) asks for more bytes.
// known is false for what is no command, or none that can be believed.
func commandLength(c []byte) (n int, known bool) {
	switch string(c[:2]) {
	case "\x1bD":
		return untilNUL(c, 2)
	case "\x1b\x1d": // buzzers at a port
		if len(c) < 3 {
			return 3, true
		}
		switch c[2] {
		case 0x07:
			return 6, true
		case 0x19:
			return 7, true
		}
		return len(c), false
	case "\x1b*": // picture in columns of 8 or 24 dots
		if len(c) < 5 {
			return 5, true
		}
		if c[2] >= 32 {
			return sized(c, 5, 3*little(c[3:]), maxPicture)
		}
		return sized(c, 5, little(c[3:]), maxPicture)
	case "\x1d(", "\x1c(":
		if len(c) < 5 {
			return 5, true
		}
		return sized(c, 5, little(c[3:]), maxBlock)
	case "\x1dk":
		if len(c) < 4 {
			return 4, true
		}
		if c[2] < 65 {
			return untilNUL(c, 3)
		}
		return sized(c, 4, int(c[3]), maxName)
	case "\x1dV":
		if len(c) > 2 && c[2] >= 65 {
			return 4, true
		}
		return 3, true
	case "\x1dv":
		if len(c) < 8 {
			return 8, true
		}
		return sized(c, 8, little(c[4:])*little(c[6:]), maxPicture)
	case "\x10\x14": // real-time pulse, power off, clear
		if len(c) > 2 && c[2] == 8 {
			return 10, true
		}
		return 5, true
	}
	n = fixedParams(c[0], c[1])
	return 2 + max(n, 0), n >= 0
}

// fixedParams is the number of parameter bytes of a command that always has the same, or -1.
func fixedParams(family, c byte) int {
	switch family {
	case esc:
		switch c {
		case '@', '2', 'i', 'm', 'S', 'L', 0x0C:
			return 0
		case ' ', '!', '-', '3', '=', 'E', 'G', 'J', 'K', 'M', 'R', 'T', 'U', 'V', 'a', 'd', 'e', 'r', 't', '{':
			return 1
		case '$', '\\', 'B', 'c':
			return 2
		case 'p', 0x07:
			return 3
		case 'W':
			return 8
		}
	case gs:
		switch c {
		case ':':
			return 0
		case '!', '/', 'B', 'H', 'I', 'T', 'a', 'b', 'f', 'h', 'r', 'w':
			return 1
		case '$', 'L', 'P', 'W', '\\':
			return 2
		case '^':
			return 3
		}
	case fs:
		switch c {
		case '&', '.':
			return 0
		case '!', '-', 'C', 'W':
			return 1
		case 'S', 'p':
			return 2
		}
	case dle:
		switch c {
		case 0x04, 0x05:
			return 1
		}
	}
	return -1
}

func little(b []byte) int { return int(b[0]) | int(b[1])<<8 }

// sized is the length of a command whose head announces data bytes.
func sized(c []byte, head, data, limit int) (int, bool) {
	if data > limit {
		return len(c), false
	}
	return head + data, true
}

// untilNUL is the length of a command whose parameters, from index from on, end with NUL.
func untilNUL(c []byte, from int) (int, bool) {
	if len(c) > from && c[len(c)-1] == 0 {
		return len(c), true
	}
	return len(c) + 1, len(c) <= from+maxName
}

// run obeys a complete command. Commands that change nothing a Parser tells about are passed over.
func (p *Parser) run(c []byte) {
	switch c[0] {
	case esc:
		p.runESC(c[1], c[2:])
	case gs:
		p.runGS(c[1], c[2:])
	case fs:
		p.runFS(c[1], c[2:])
	case dle: // DLE EOT and DLE ENQ were seen by realTime
		if c[1] == 0x14 && c[2] == 1 {
			p.emit(Drawer{})
		}
	}
}

func (p *Parser) runESC(c byte, a []byte) {
	m := &p.modes
	switch c {
	case '@':
		p.reset()
		p.emit(Reset{})
	case 'a':
		if align := Align(a[0] &^ '0'); align <= Right && p.held == 0 { // obeyed at the start of a line only
			m.align = align
		}
	case 'E':
		p.endRun()
		m.bold = a[0]&1 != 0
	case '!':
		p.endRun()
		m.bold = a[0]&0x08 != 0
		m.width, m.height = 1+int(a[0]>>5&1), 1+int(a[0]>>4&1)
	case 'd':
		lines := int(a[0])
		if p.flush() && lines > 0 {
			lines-- // the line itself moved the paper by one
		}
		p.emit(Feed{Lines: lines})
	case 'J':
		p.flush()
		p.emit(Feed{Dots: int(a[0])})
	case 'B':
		p.emit(Beep{Times: int(a[0]), Length: int(a[1])})
	case 0x07:
		p.emit(Beep{Times: int(a[2]), Length: int(a[0])})
	case gs:
		if a[0] == 0x07 {
			p.emit(Beep{Times: 1, Length: int(a[2])})
		}
	case 'p':
		p.emit(Drawer{})
	case 'i', 'm': // the cuts of old models, both leave a bridge
		p.flush()
		p.emit(Cut{Partial: true})
	}
}

func (p *Parser) runFS(c byte, a []byte) {
	p.endRun()
	m := &p.modes
	switch c {
	case '&':
		m.double = true
	case '.':
		m.double = false
	case '!':
		m.hanW, m.hanH = 1+int(a[0]>>2&1), 1+int(a[0]>>3&1)
	case 'W':
		m.hanW, m.hanH = 1+int(a[0]&1), 1+int(a[0]&1)
	case 'p':
		p.flush()
		p.emit(Stored{Align: m.align, Number: int(a[0])})
	}
}

func (p *Parser) runGS(c byte, a []byte) {
	m := &p.modes
	switch c {
	case '!':
		p.endRun()
		m.width, m.height = 1+int(a[0]>>4&7), 1+int(a[0]&7)
		m.hanW, m.hanH = m.width, m.height
	case 'V':
		p.flush()
		p.emit(Cut{Partial: a[0] == 1 || a[0] == '1' || len(a) > 1 && a[0]&1 == 0, Fed: len(a) > 1})
	case 'a':
		p.emit(AutoStatus{Enabled: a[0] != 0})
	case 'r':
		if a[0] == 1 || a[0] == '1' {
			p.flush()
			p.emit(PaperRequest{})
		}
	case 'v':
		p.flush()
		if len(a) == 6 {
			return
		}
		p.emit(Raster{Align: m.align, RowBytes: little(a[2:]), Data: append([]byte(nil), a[6:]...)})
	case 'k':
		p.flush()
		if a[0] < 65 {
			p.emit(Barcode{Align: m.align, System: a[0] + 65, Data: append([]byte(nil), a[1:len(a)-1]...)})
		} else {
			p.emit(Barcode{Align: m.align, System: a[0], Data: append([]byte(nil), a[2:]...)})
		}
	case '(':
		if a[0] == 'k' && len(a) >= 6 && a[3] == '1' {
			p.runQR(a[4], a[5:])
		}
	}
}

// runQR obeys a function of GS ( k for QR codes; a holds its parameters, at least one.
func (p *Parser) runQR(function byte, a []byte) {
	switch function {
	case 'C':
		p.symbol.Dot = int(a[0])
	case 'P':
		p.symbol.Data = append([]byte(nil), a[1:]...)
	case 'Q':
		if len(p.symbol.Data) == 0 { // nothing stored: printers do nothing
			return
		}
		p.flush()
		p.symbol.Align = p.modes.align
		p.emit(p.symbol)
	}
}
