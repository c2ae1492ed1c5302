package huidu

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// NoSession is the session of the first order, GetIFVersion; its answer has the one for all others.
const NoSession = "##GUID"

// The methods of orders.
const (
	MethodVersion = "GetIFVersion"
	MethodProgram = "AddProgram" // replaces all programs of the card
)

// Results that a host acts on; the maker's list goes on.
const (
	ResultSuccess  = "kSuccess"
	ResultSession  = "kInvalidGUID"  // begin again with GetIFVersion
	ResultOccupied = "kDeviceOccupa" // somebody else is at it
	ResultDelayed  = "kDelayRespond" // it is still at it
	ResultIndex    = "kInvalidXmlIndex"
)

// Effect is how text comes in.
type Effect int

// The effects.
const (
	Immediate Effect = 0
	MoveUp    Effect = 3
	RunLeft   Effect = 26 // through from right to left, its end joined to its beginning
)

// Area is a rectangle of the screen, in pixels, with one line of text.
type Area struct {
	X, Y, Width, Height int
	Text                string
	Font                string // as the card knows it, such as SimSun
	Size                int    // pixels
	Colour              uint32 // 0xRRGGBB
	Effect              Effect
	Speed               int
	Stay                int // of the text on its page; the maker's demonstration has 30
	SingleLine          bool
}

// Program is what the screen shows.
type Program struct{ Areas []Area }

// maxAreas bounds a program.
const maxAreas = 32

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// VersionOrder is the order that opens a session.
func VersionOrder() []byte {
	return []byte(xmlHead + `<sdk guid="` + NoSession + `"><in method="` + MethodVersion + `"><version value="1000000"/></in></sdk>`)
}

// Order encodes the program as the order to show it and nothing else. Control characters in its texts become spaces.
func (p Program) Order(session string) ([]byte, error) {
	if !SessionOK(session) {
		return nil, fmt.Errorf("session %q: want digits, letters and hyphens", session)
	}
	if len(p.Areas) > maxAreas {
		return nil, fmt.Errorf("program of %d areas: the most is %d", len(p.Areas), maxAreas)
	}
	var b bytes.Buffer
	b.WriteString(xmlHead)
	fmt.Fprintf(&b, `<sdk guid="%s"><in method="%s"><screen timeStamps="0"><program guid="p1" type="normal">`, session, MethodProgram)
	b.WriteString(`<playControl count="1" disabled="false"/>`)
	for i, a := range p.Areas {
		fmt.Fprintf(&b, `<area guid="a%d" alpha="255"><rectangle x="%d" y="%d" width="%d" height="%d"/><resources>`, i+1, a.X, a.Y, a.Width, a.Height)
		fmt.Fprintf(&b, `<text guid="t%d" singleLine="%t"><style align="center" valign="middle"/><string>%s</string>`, i+1, a.SingleLine, escape(a.Text))
		fmt.Fprintf(&b, `<font name="%s" size="%d" color="#%06x" bold="false" italic="false" underline="false"/>`, escape(a.Font), a.Size, a.Colour&0xFFFFFF)
		fmt.Fprintf(&b, `<effect in="%d" out="0" inSpeed="%d" outSpeed="0" duration="%d"/></text></resources></area>`, a.Effect, a.Speed, a.Stay)
	}
	b.WriteString(`</program></screen></in></sdk>`)
	if b.Len() > MaxXML {
		return nil, fmt.Errorf("program of %d bytes: the most is %d", b.Len(), MaxXML)
	}
	return b.Bytes(), nil
}

// escape gives a text as it stands in XML.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 {
			return ' '
		}
		return r
	}, s)
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// SessionOK reports whether s can be the session of a card.
func SessionOK(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range s {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-') {
			return false
		}
	}
	return true
}

// Answer is what the card says to an order. Session is that of the answer to GetIFVersion.
type Answer struct {
	Session, Method, Result string
}

// XML encodes the answer as the card sends it.
func (a Answer) XML() []byte {
	return []byte(xmlHead + `<sdk guid="` + escape(a.Session) + `"><out method="` + escape(a.Method) + `" result="` + escape(a.Result) + `"/></sdk>`)
}

var errXML = errors.New("not the XML of the SDK")

// ParseAnswer reads the card's XML.
func ParseAnswer(b []byte) (Answer, error) {
	var doc struct {
		XMLName xml.Name `xml:"sdk"`
		Session string   `xml:"guid,attr"`
		Out     []struct {
			Method string `xml:"method,attr"`
			Result string `xml:"result,attr"`
		} `xml:"out"`
	}
	if err := unmarshal(b, &doc); err != nil {
		return Answer{}, err
	}
	if len(doc.Out) != 1 || doc.Out[0].Method == "" || doc.Out[0].Result == "" {
		return Answer{}, fmt.Errorf("%w: no answer in it", errXML)
	}
	return Answer{Session: doc.Session, Method: doc.Out[0].Method, Result: doc.Out[0].Result}, nil
}

// unmarshal reads one document of a bounded size.
func unmarshal(b []byte, into any) error {
	if len(b) > MaxXML {
		return fmt.Errorf("%w: %d bytes", errXML, len(b))
	}
	if err := xml.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %w", errXML, err)
	}
	return nil
}

// Order is an order as a card reads it. Program is that of AddProgram.
type Order struct {
	Session, Method string
	Program         Program
}

// ParseOrder reads an order.
func ParseOrder(b []byte) (Order, error) {
	var doc struct {
		XMLName xml.Name `xml:"sdk"`
		Session string   `xml:"guid,attr"`
		In      struct {
			Method string    `xml:"method,attr"`
			Areas  []areaXML `xml:"screen>program>area"`
		} `xml:"in"`
	}
	if err := unmarshal(b, &doc); err != nil {
		return Order{}, err
	}
	o := Order{Session: doc.Session, Method: doc.In.Method}
	if o.Method == "" || len(doc.In.Areas) > maxAreas {
		return Order{}, fmt.Errorf("%w: no order, or %d areas", errXML, len(doc.In.Areas))
	}
	for _, a := range doc.In.Areas {
		colour, err := strconv.ParseUint(strings.TrimPrefix(a.Text.Font.Colour, "#"), 16, 24)
		if err != nil || len(a.Text.Font.Colour) != 7 {
			return Order{}, fmt.Errorf("%w: colour %q", errXML, a.Text.Font.Colour)
		}
		o.Program.Areas = append(o.Program.Areas, Area{
			X: a.Rectangle.X, Y: a.Rectangle.Y, Width: a.Rectangle.Width, Height: a.Rectangle.Height, Text: a.Text.String,
			Font: a.Text.Font.Name, Size: a.Text.Font.Size, Colour: uint32(colour),
			Effect: Effect(a.Text.Effect.In), Speed: a.Text.Effect.Speed, Stay: a.Text.Effect.Stay, SingleLine: a.Text.SingleLine,
		})
	}
	return o, nil
}

type areaXML struct {
	Rectangle struct {
		X      int `xml:"x,attr"`
		Y      int `xml:"y,attr"`
		Width  int `xml:"width,attr"`
		Height int `xml:"height,attr"`
	} `xml:"rectangle"`
	Text struct {
		SingleLine bool   `xml:"singleLine,attr"`
		String     string `xml:"string"`
		Font       struct {
			Name   string `xml:"name,attr"`
			Size   int    `xml:"size,attr"`
			Colour string `xml:"color,attr"`
		} `xml:"font"`
		Effect struct {
			In    int `xml:"in,attr"`
			Speed int `xml:"inSpeed,attr"`
			Stay  int `xml:"duration,attr"`
		} `xml:"effect"`
	} `xml:"resources>text"`
}
