package sdtreader

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
)

// People of all four cards.
func everybody() []sdt.Card {
	secret := sdt.NewPrivate
	return []sdt.Card{
		zhang(),
		{Kind: sdt.HMT, Name: secret("王五"), Sex: sdt.Female, Birth: secret("19900307"), Address: secret("某省某市某区和平路3号"),
			Number: secret("810000199003070007"), Issuer: "某市公安局", ValidFrom: "20240101", ValidTo: "20290101", PassNumber: secret("H00000000"), Issues: "01"},
		{Kind: sdt.Foreigner2017, Name: secret("样本一"), EnglishName: secret("TEST, SPECIMEN ONE"), Sex: sdt.Male, Birth: secret("19900307"),
			Number: secret("UTO990190030710"), ValidFrom: "20180101", ValidTo: "20280101", Nationality: "UTO", Version: "01", Authority: "1500"},
		{Kind: sdt.Foreigner2023, Name: secret("样本二"), EnglishName: secret("TEST, SPECIMEN TWO"), Sex: sdt.Female, Birth: secret("19900307"),
			Number: secret("999000199003070003"), ValidFrom: "20240101", ValidTo: "20340101", Renewals: "01", Nationality: "UTO"},
	}
}

const moved = "某省某市某区新建路9号" // the address that everybody got later

// forms are the ways in which a text may stand somewhere.
func forms(text string) []string {
	var wide []byte
	for _, u := range utf16.Encode([]rune(text)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	return []string{text, string(wide), hex.EncodeToString([]byte(text)), hex.EncodeToString(wide), fmt.Sprintf("%q", text), fmt.Sprintf("%+q", text)}
}

// written is all that a program could leave behind of a value.
func written(t *testing.T, out *bytes.Buffer, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(out, verb+"\n", v)
			fmt.Fprintf(out, verb+"\n", struct{ hidden any }{v})
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(encoded, '\n'))
		slog.New(slog.NewTextHandler(out, nil)).Info("value", "value", v)
		slog.New(slog.NewJSONHandler(out, nil)).Info("value", "value", v)
	}
}

// TestNothingOfACardIsLeftBehind reads all kinds of cards, well and spoilt, with all that can be asked for, and looks for what is on
// them wherever somebody could read it who was not given the card: the log down to its least words, the health, the record of the
// line's bytes, the errors of a test, what is told of unread cards, and the card itself printed by mistake.
func TestNothingOfACardIsLeftBehind(t *testing.T) {
	t.Parallel()
	for _, card := range everybody() {
		for how, spoil := range map[string]func(*reader){
			"well":         func(*reader) {},
			"damaged":      func(r *reader) { r.spoilt = 99 },
			"wrong number": func(r *reader) { r.forged = true },
			"unknown flag": func(r *reader) { r.flag = 'Q' },
			"broken off":   func(r *reader) { r.short = 700 },
			"refused":      func(r *reader) { r.always[sdt.CmdReadCard] = sdt.StatusModuleRefuses },
		} {
			t.Run(string(card.Kind)+" "+how, func(t *testing.T) {
				t.Parallel()
				leaves(t, card, spoil)
			})
		}
	}
}

func leaves(t *testing.T, card sdt.Card, spoil func(*reader)) {
	far := newReader(t)
	far.address, far.keep, far.photo = []sdt.Private{sdt.NewPrivate(moved)}, true, append([]byte("WLf"), bytes.Repeat([]byte("photo"), 205)[:1021]...)
	spoil(far)
	line := drivertest.Cable(t, far.serve)
	var log drivertest.Log
	tape := registry.NewTape(device.ClassIDCard)
	tape.Start(time.Hour)
	model := registry.Model{Name: "reader", Class: device.ClassIDCard, Driver: "sdtreader", Options: map[string]string{
		"find_every": findEvery, "photo": "true", "newest_address": "true",
	}}
	site := registry.Site{Name: "kiosk-1.idcard", Connect: registry.Connect{Serial: line.Path()}, Tape: tape}
	d, err := registry.New(map[string]registry.Driver{"sdtreader": {New: New}}).Build(model, site, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	far.lay(card)
	var out bytes.Buffer
	r := d.(*Reader)
	drivertest.Until(t, "the card to be read or told of", func() bool {
		select {
		case c := <-r.Cards():
			written(t, &out, c, &c, struct{ card device.IDCard }{c})
		case u := <-r.Unread():
			written(t, &out, u)
		default:
			return false
		}
		return true
	})
	if err := r.SelfTest(t.Context()); err != nil {
		written(t, &out, err.Error())
	}
	if _, err := sdt.CardData(card, []byte("photo")); err == nil {
		t.Error("half a photo was taken")
	} else {
		written(t, &out, err.Error())
	}
	record := tape.Record(0)
	if len(record.Entries) == 0 || !record.Masked {
		t.Errorf("%d entries in the record of the line, masked %v", len(record.Entries), record.Masked)
	}
	for _, e := range record.Entries {
		out.Write(e.Bytes)
	}
	written(t, &out, d.Health(), record, far.count(sdt.CmdReadCard))
	out.WriteString(log.String())
	all := out.String()
	for _, secret := range []sdt.Private{
		card.Name, card.EnglishName, card.Number, card.Address, card.Birth, card.PassNumber, sdt.NewPrivate(moved), sdt.NewPrivate("photophoto"),
	} {
		for _, form := range forms(secret.Reveal()) {
			if !secret.Empty() && strings.Contains(all, form) {
				t.Errorf("%q was left behind", form)
			}
		}
	}
}
