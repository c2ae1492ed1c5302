package escpos

import (
	"bytes"
	"reflect"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

var paper58 = Layout{Columns: 32, Dots: 384, Charset: GBK}

// built says how the Builder makes a vector of the direction host>device.
var built = map[string]func(b *Builder){
	"align-center":     func(b *Builder) { b.Align(Center) },
	"bold-on":          func(b *Builder) { b.Bold(true) },
	"bold-off":         func(b *Builder) { b.Bold(false) },
	"size-2x2":         func(b *Builder) { b.Size(2, 2) },
	"size-3x4":         func(b *Builder) { b.Size(3, 4) },
	"kanji-on":         func(b *Builder) { b.Chinese(true) },
	"kanji-off":        func(b *Builder) { b.Chinese(false) },
	"gbk-line":         func(b *Builder) { b.Chinese(true); b.Text("办税服务厅"); b.EndLine(); b.Chinese(false) },
	"qr-165-model2":    func(b *Builder) { b.qr('A', '2', 0) },
	"qr-167-size6":     func(b *Builder) { b.qr('C', 6) },
	"qr-169-ecc-m":     func(b *Builder) { b.qr('E', '1') },
	"qr-180-store":     func(b *Builder) { b.qr('P', []byte("0A001")...) },
	"qr-181-print":     func(b *Builder) { b.qr('Q', '0') },
	"qr-utf8":          func(b *Builder) { b.qr('P', []byte("0排队号A001")...) },
	"raster-8x2":       func(b *Builder) { b.raster(1, []byte{0x18, 0xFF}) },
	"raster-384x8":     func(b *Builder) { b.raster(48, bytes.Repeat([]byte{0xFF}, 48*8)) },
	"feed-3-lines":     func(b *Builder) { b.Feed(3) },
	"cut-feed-partial": func(b *Builder) { b.Cut(PartialCut) },
	"buzzer-gprinter":  func(b *Builder) { b.Beep(3, 2) },
	"gs-r-1":           func(b *Builder) { b.Barrier() },
	"ticket-number-line": func(b *Builder) {
		b.Align(Center)
		b.Size(2, 2)
		b.Chinese(true)
		b.Text("号码 A001")
		b.EndLine()
		b.Size(1, 1)
		b.Align(Left)
	},
}

// qrURL is what the Builder and the printer make of a whole code.
const qrURL = "https://example.gov.cn/t?n=A001&w=3"

// printed says what the Parser makes of a vector of the direction host>device: nil for a change of mode, which shows in
// TestModes.
var printed = map[string][]Item{
	"init":               {Reset{}},
	"gbk-line":           {plain("办税服务厅")},
	"ticket-number-line": {Line{Align: Center, Runs: []Run{{Text: "号码 A001", Width: 2, Height: 2}}}},
	"code128":            {Barcode{System: 73, Data: []byte("{BA001")}},
	"code39-fnA":         {Barcode{System: 69, Data: []byte("A001")}},
	"ean13":              {Barcode{System: 67, Data: []byte("6900000000014")}},
	"qr-full-url":        {QR{Data: []byte(qrURL), Dot: 6}},
	"raster-8x2":         {Raster{RowBytes: 1, Data: []byte{0x18, 0xFF}}},
	"raster-384x8":       {Raster{RowBytes: 48, Data: bytes.Repeat([]byte{0xFF}, 48*8)}},
	"raster-576-header":  {Raster{RowBytes: 72, Data: make([]byte, 72)}},
	"feed-3-lines":       {Feed{Lines: 3}},
	"feed-100-units":     {Feed{Dots: 100}},
	"cut-full-now":       {Cut{}},
	"cut-partial-now":    {Cut{Partial: true}},
	"cut-feed-partial":   {Cut{Partial: true, Fed: true}},
	"cut-feed-full":      {Cut{Fed: true}},
	"drawer-pin2":        {Drawer{}},
	"buzzer-gprinter":    {Beep{Times: 3, Length: 2}},
	"dle-eot-1":          {StatusRequest{QueryPrinter}},
	"dle-eot-2":          {StatusRequest{QueryOffline}},
	"dle-eot-3":          {StatusRequest{QueryError}},
	"dle-eot-4":          {StatusRequest{QueryPaper}},
	"asb-enable":         {AutoStatus{Enabled: true}},
	"asb-enable-nodrawer": {
		AutoStatus{Enabled: true}},
	"asb-disable": {AutoStatus{}},
	"gs-r-1":      {PaperRequest{}},
}

func plain(s string) Line { return Line{Runs: []Run{{Text: s, Width: 1, Height: 1}}} }

// replies says which state a vector of the direction device>host tells, and by which query it was asked.
var replies = map[string]struct {
	query Query // 0: automatic status, 'r': GS r
	state Status
}{
	"dle-eot-reply-1-online-drawerlow":  {QueryPrinter, Status{}},
	"dle-eot-reply-1-online-drawerhigh": {QueryPrinter, Status{DrawerHigh: true}},
	"dle-eot-reply-1-offline":           {QueryPrinter, Status{Offline: true}},
	"dle-eot-reply-2-ok":                {QueryOffline, Status{}},
	"dle-eot-reply-2-cover":             {QueryOffline, Status{CoverOpen: true}},
	"dle-eot-reply-2-paperstop":         {QueryOffline, Status{PaperStop: true}},
	"dle-eot-reply-2-error":             {QueryOffline, Status{Error: true}},
	"dle-eot-reply-3-ok":                {QueryError, Status{}},
	"dle-eot-reply-3-cutter":            {QueryError, Status{Cutter: true}},
	"dle-eot-reply-3-unrecoverable":     {QueryError, Status{Unrecoverable: true}},
	"dle-eot-reply-3-autorecover":       {QueryError, Status{AutoRecover: true}},
	"dle-eot-reply-4-ok":                {QueryPaper, Status{}},
	"dle-eot-reply-4-nearend":           {QueryPaper, Status{NearEnd: true}},
	"dle-eot-reply-4-out":               {QueryPaper, Status{NearEnd: true, PaperEnd: true}},
	"dle-eot-reply-4-out-nonear":        {QueryPaper, Status{PaperEnd: true}},
	"asb-ok":                            {0, Status{DrawerHigh: true}},
	"asb-nearend":                       {0, Status{DrawerHigh: true, NearEnd: true}},
	"asb-cover":                         {0, Status{DrawerHigh: true, Offline: true, CoverOpen: true}},
	"asb-paperout":                      {0, Status{DrawerHigh: true, Offline: true, NearEnd: true, PaperEnd: true, PaperStop: true}},
	"asb-cutter":                        {0, Status{DrawerHigh: true, Offline: true, Cutter: true, Error: true}},
	"asb-recover":                       {0, Status{DrawerHigh: true, Offline: true, Waiting: true, AutoRecover: true, Error: true}},
	"gs-r-1-reply-ok":                   {'r', Status{}},
	"gs-r-1-reply-near":                 {'r', Status{NearEnd: true}},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors.For(t, "escpos") {
		t.Run(v.Name, func(t *testing.T) {
			if v.Direction == "device>host" {
				testReply(t, v)
				return
			}
			p := NewParser(GBK)
			if got := p.Feed(v.Bytes); !reflect.DeepEqual(got, printed[v.Name]) {
				t.Errorf("parsed to %#v, want %#v", got, printed[v.Name])
			}
			if p.Garbage() != 0 || len(p.command) != 0 {
				t.Errorf("%d bytes taken for noise, %d left over", p.Garbage(), len(p.command))
			}
			if build := built[v.Name]; build != nil {
				b := NewBuilder(paper58)
				build(b)
				if !bytes.Equal(b.Bytes(), v.Bytes) {
					t.Errorf("built % x, want % x", b.Bytes(), v.Bytes)
				}
			}
		})
	}
}

func testReply(t *testing.T, v vectors.Vector) {
	want, ok := replies[v.Name]
	if !ok {
		t.Fatal("no expectation for this vector")
	}
	var got Status
	var back []byte
	var taken bool
	kind := StatusReply
	switch want.query {
	case 0:
		kind = AutoReply
		taken = got.SetASB([4]byte(v.Bytes))
		b := got.ASB()
		back = b[:]
	case 'r':
		kind = PaperReply
		taken = got.SetPaperReply(v.Bytes[0])
		back = []byte{got.PaperReply()}
	default:
		taken = got.SetReply(want.query, v.Bytes[0])
		back = []byte{got.Reply(want.query)}
	}
	if !taken || got != want.state {
		t.Errorf("read %+v (%v), want %+v", got, taken, want.state)
	}
	if !bytes.Equal(back, v.Bytes) {
		t.Errorf("built % x, want % x", back, v.Bytes)
	}
	var reader ReplyReader
	out := reader.Feed(v.Bytes)
	if len(out) != 1 || out[0].Kind != kind || reader.Garbage() != 0 {
		t.Errorf("stream read as %+v with %d bytes of noise, want one of kind %d", out, reader.Garbage(), kind)
	}
}

func TestVectorsBuiltByOtherMeans(t *testing.T) {
	bytesOf := func(name string) []byte { return vectors.One(t, "escpos", name).Bytes }
	for q := QueryPrinter; q <= QueryPaper; q++ {
		if want := bytesOf("dle-eot-" + string('0'+rune(q))); !bytes.Equal(q.Request(), want) {
			t.Errorf("query %d is % x, want % x", q, q.Request(), want)
		}
	}
	if got, want := AutoStatusRequest(true), bytesOf("asb-enable-nodrawer"); !bytes.Equal(got, want) {
		t.Errorf("automatic status on is % x, want % x", got, want)
	}
	if got, want := AutoStatusRequest(false), bytesOf("asb-disable"); !bytes.Equal(got, want) {
		t.Errorf("automatic status off is % x, want % x", got, want)
	}
	b := NewBuilder(paper58)
	b.Init()
	if want := append(bytesOf("init"), bytesOf("kanji-on")...); !bytes.Equal(b.Bytes(), want) {
		t.Errorf("Init is % x, want % x", b.Bytes(), want)
	}
	b = NewBuilder(paper58)
	if err := b.QR(qrURL, 6, Left); err != nil {
		t.Fatal(err)
	}
	left := []byte{esc, 'a', 0}
	if want := append(append(left, bytesOf("qr-full-url")...), left...); !bytes.Equal(b.Bytes(), want) {
		t.Errorf("QR is % x, want % x", b.Bytes(), want)
	}
}
