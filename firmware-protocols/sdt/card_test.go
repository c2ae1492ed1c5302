package sdt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

// plain is a Card with its personal fields revealed, so that tests can compare it.
type plain struct {
	kind                                                  Kind
	name, english, sex, ethnic, birth, address, number    string
	issuer, from, to, pass, issues, renewals, nationality string
	version, authority                                    string
	longTerm                                              bool
}

func reveal(c Card) plain {
	return plain{kind: c.Kind, name: c.Name.Reveal(), english: c.EnglishName.Reveal(), sex: c.Sex.String(), ethnic: EthnicName(c.EthnicCode),
		birth: c.Birth.Reveal(), address: c.Address.Reveal(), number: c.Number.Reveal(), issuer: c.Issuer, from: c.ValidFrom, to: c.ValidTo,
		pass: c.PassNumber.Reveal(), issues: c.Issues, renewals: c.Renewals, nationality: c.Nationality, version: c.Version,
		authority: c.Authority, longTerm: c.LongTerm}
}

func decodeCard(t testing.TB, frame []byte) (Card, error) {
	t.Helper()
	var d ReplyDecoder
	d.Push(frame)
	r, ok := d.Next()
	if !ok {
		t.Fatal("no reply in the frame")
	}
	return r.Card()
}

func TestFieldsOfEveryLayout(t *testing.T) {
	for name, want := range map[string]plain{
		"rsp-30-01-resident-zhangsan": {kind: Resident, name: "张三", sex: "男", ethnic: "汉", birth: "19900307",
			address: "某省某市某区幸福路1号2单元301室", number: "991101199003070016", issuer: "某市公安局某分局", from: "20200101", to: "20400101"},
		"rsp-30-01-resident-longterm": {kind: Resident, name: "李四", sex: "女", ethnic: "维吾尔", birth: "19881112",
			address: "某省某市某县团结街8号", number: "991101198811120021", issuer: "某县公安局", from: "20150601", longTerm: true},
		"rsp-30-01-hmt-j": {kind: HMT, name: "王五", sex: "女", birth: "19900307", address: "某省某市某区和平路3号", number: "810000199003070007",
			issuer: "某市公安局", from: "20240101", to: "20290101", pass: "H00000000", issues: "01"},
		"rsp-30-01-foreigner-i": {kind: Foreigner2017, name: "样本一", english: "TEST, SPECIMEN ONE", sex: "男", birth: "19900307",
			number: "UTO990190030710", from: "20180101", to: "20280101", nationality: "UTO", version: "01", authority: "1500"},
		"rsp-30-01-foreigner-y": {kind: Foreigner2023, name: "样本二", english: "TEST, SPECIMEN TWO", sex: "女", birth: "19900307",
			number: "999000199003070003", from: "20240101", to: "20340101", renewals: "01", nationality: "UTO"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := decodeCard(t, vectors.One(t, "sdt", name).Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if got := reveal(c); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestFingerprintsAreOnlyCounted(t *testing.T) {
	for name, want := range map[string]int{"rsp-30-10-nofinger": 0, "rsp-30-10-finger": 1024} {
		c, err := decodeCard(t, vectors.One(t, "sdt", name).Bytes)
		if err != nil || c.PrintLen != want || c.PhotoLen != 1024 {
			t.Errorf("%s: %d bytes of fingerprint, %d of photo, %v", name, c.PrintLen, c.PhotoLen, err)
		}
	}
}

func TestPhotoIsGivenAsItIs(t *testing.T) {
	for _, name := range []string{"rsp-30-01-resident-zhangsan", "rsp-30-10-finger"} {
		frame := vectors.One(t, "sdt", name).Bytes
		var d ReplyDecoder
		d.Push(frame)
		r, _ := d.Next()
		photo, err := r.Photo()
		if err != nil || len(photo.Reveal()) != photoLen || !strings.HasPrefix(photo.Reveal(), "WLf") || !bytes.Contains(frame, []byte(photo.Reveal())) {
			t.Errorf("%s: %d bytes, %v", name, len(photo.Reveal()), err)
		}
	}
	var d ReplyDecoder
	d.Push(vectors.One(t, "sdt", "rsp-30-03").Bytes)
	r, _ := d.Next()
	if photo, err := r.Photo(); !errors.Is(err, ErrNotThatReply) || !photo.Empty() {
		t.Errorf("an address is a photo: %v", err)
	}
}

func sample() Card {
	return Card{Kind: Resident, Name: NewPrivate("张三"), Sex: Male, EthnicCode: "01", Birth: NewPrivate("19900307"),
		Address: NewPrivate("某省某市某区幸福路1号"), Number: NewPrivate("991101199003070016"), Issuer: "某市公安局", ValidFrom: "20100101",
		ValidTo: "20400101"}
}

// cardReply is the reply to CmdReadCard that carries c, changed by change.
func cardReply(t testing.TB, c Card, change func(text []byte)) []byte {
	t.Helper()
	data, err := CardData(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(data[4 : 4+textLen])
	}
	frame, err := AppendReply(nil, StatusOK, data)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestLongEnglishNameOf2023CardIsJoined(t *testing.T) {
	c := sample()
	c.Kind, c.EthnicCode, c.Address, c.Issuer = Foreigner2023, "", Private{}, ""
	for _, name := range []string{
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ, ABCDEF GHIJKLMNOP", // character 35 is a space
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ, ABCDEFG HIJKLMNOP", // character 36 is one
	} {
		c.EnglishName = NewPrivate(name)
		got, err := decodeCard(t, cardReply(t, c, nil))
		if err != nil || got.EnglishName.Reveal() != name {
			t.Errorf("got %q, %v; want %q", got.EnglishName.Reveal(), err, name)
		}
	}
}

func TestOddPaddingIsTrimmed(t *testing.T) {
	c, err := decodeCard(t, cardReply(t, sample(), func(text []byte) {
		copy(text[4:], []byte{0x00, 0x30, 0x00, 0x00}) // behind the name: U+3000 and NUL
		clear(text[220:])                              // reserved part and flag NUL instead of spaces
	}))
	if err != nil || c.Name.Reveal() != "张三" || c.Kind != Resident {
		t.Errorf("got %q, %s, %v", c.Name.Reveal(), c.Kind, err)
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	var unknown *UnknownLayoutError
	if _, err := decodeCard(t, cardReply(t, sample(), func(b []byte) { b[flagAt] = 'Q' })); !errors.As(err, &unknown) || unknown.Flag != 'Q' {
		t.Errorf("unknown letter: %v", err)
	}
	for want, change := range map[string]func([]byte){
		"birth":      func(b []byte) { b[36] = 'x' },
		"valid_from": func(b []byte) { copy(b[188:204], bytes.Repeat([]byte{' ', 0}, 8)) },
		"valid_to":   func(b []byte) { b[204+14], b[204+15] = ' ', 0 },
		"number":     func(b []byte) { copy(b[122:158], bytes.Repeat([]byte{' ', 0}, 18)) },
	} {
		var field *FieldError
		_, err := decodeCard(t, cardReply(t, sample(), change))
		if !errors.As(err, &field) || field.Field != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	frame := cardReply(t, sample(), nil)
	for _, data := range [][]byte{nil, {1}, {1, 0, 4, 0}, {1, 0, 4, 0, 0}, {0, 0, 0, 0}, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, frame[10 : len(frame)-3]} {
		short, err := AppendReply(nil, StatusOK, data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeCard(t, short); !errors.Is(err, ErrNotThatReply) {
			t.Errorf("%d bytes of data: %v", len(data), err)
		}
	}
	failed, _ := AppendReply(nil, StatusReadFailed, frame[10:len(frame)-1])
	if _, err := decodeCard(t, failed); !errors.Is(err, ErrNotThatReply) {
		t.Errorf("failed status with data: %v", err)
	}
}

func TestCardThatDoesNotFitIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Card){
		"name":    func(c *Card) { c.Name = NewPrivate(strings.Repeat("名", 16)) },
		"address": func(c *Card) { c.Address = NewPrivate(strings.Repeat("路", 36)) },
		"kind":    func(c *Card) { c.Kind = "passport" },
	} {
		c := sample()
		change(&c)
		if _, err := CardData(c, nil); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "名") || strings.Contains(err.Error(), "路") {
			t.Errorf("%s: the error holds the text: %v", name, err)
		}
	}
	if _, err := CardData(sample(), make([]byte, 10)); err == nil {
		t.Error("photo of 10 bytes accepted")
	}
}

func TestNewestAddress(t *testing.T) {
	address := func(frame []byte) (string, error) {
		var d ReplyDecoder
		d.Push(frame)
		r, ok := d.Next()
		if !ok {
			t.Fatal("no reply")
		}
		a, err := r.NewestAddress()
		return a.Reveal(), err
	}
	if got, err := address(vectors.One(t, "sdt", "rsp-30-03").Bytes); got != "某省某市某区新建路9号" || err != nil {
		t.Errorf("one record: %q, %v", got, err)
	}
	if got, err := address(vectors.One(t, "sdt", "rsp-no-item").Bytes); got != "" || err != nil {
		t.Errorf("no item: %q, %v", got, err)
	}
	data, err := AddressData(NewPrivate("甲路1号"), NewPrivate("乙路2号"), NewPrivate(""))
	if err != nil {
		t.Fatal(err)
	}
	frame, _ := AppendReply(nil, StatusOK, data)
	if got, err := address(frame); got != "乙路2号" || err != nil {
		t.Errorf("three records, the last blank: %q, %v", got, err)
	}
	odd, _ := AppendReply(nil, StatusOK, data[:71])
	if _, err := address(odd); !errors.Is(err, ErrNotThatReply) {
		t.Errorf("71 bytes: %v", err)
	}
	if _, err := AddressData(NewPrivate(strings.Repeat("路", 36))); err == nil {
		t.Error("address of 36 characters accepted")
	}
}

// TestNothingPersonalCanBePrinted tries every way a careless line could leak a card.
func TestNothingPersonalCanBePrinted(t *testing.T) {
	frame := cardReply(t, sample(), nil)
	var d ReplyDecoder
	d.Push(frame)
	r, _ := d.Next()
	c, err := r.Card()
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct {
		card  Card
		reply Reply
	}{c, r}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T"} {
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", &c)
		fmt.Fprintf(&out, verb+"\n", c.Number)
		fmt.Fprintf(&out, verb+"\n", r)
		fmt.Fprintf(&out, verb+"\n", hidden.card)
		fmt.Fprintf(&out, verb+"\n", struct{ hidden any }{hidden.card})
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("card", "card", c, "number", c.Number, "reply", r)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	text := out.String()
	for _, secret := range []string{"张三", "991101199003070016", "19900307", "幸福", fmt.Sprintf("%x", "张三"), fmt.Sprintf("%x", "991101")} {
		if strings.Contains(strings.ToLower(text), secret) {
			t.Errorf("%q can be printed:\n%s", secret, text)
		}
	}
	if c.Number.Reveal() != "991101199003070016" || (Private{}).Reveal() != "" || !(Private{}).Empty() {
		t.Error("Reveal does not give the text")
	}
}
