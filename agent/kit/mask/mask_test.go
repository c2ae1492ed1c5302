package mask_test

import (
	"strings"
	"testing"
	"unicode"

	"halledge/agent/kit/mask"
)

var kinds = map[string]func(string) string{
	"name": mask.Name, "id": mask.ID, "phone": mask.Phone, "landline": mask.Landline, "passport": mask.Passport, "permit": mask.Permit,
	"plate": mask.Plate, "mail": mask.Mail, "address": mask.Address,
}

// All people, numbers and places are invented.
func TestEachKind(t *testing.T) {
	for _, c := range []struct{ kind, in, want string }{
		{"name", "张三", "张*"}, {"name", "张小三", "张*三"}, {"name", "欧阳娜娜", "欧**娜"}, {"name", "阿卜杜·热西提", "阿*****提"},
		{"name", "Zhang San", "Z***"}, {"name", "Émile", "É***"}, {"name", "E\u0301mile", "É***"}, {"name", " 张三 ", "张*"},
		{"name", "张", "***"}, {"name", "", "***"}, {"name", "张三1", "***"}, {"name", "张\x1bp三", "***"}, {"name", "张\u202e三", "***"},
		{"name", strings.Repeat("张", 40), "***"}, {"name", "👨‍👩‍👧", "***"},
		{"id", "991101199003070016", "9911**********0016"}, {"id", "99110119881112002x", "9911**********002X"},
		{"id", "991101900307001", "9911********001"}, {"id", "99110119900307001", "***"}, {"id", "９９１１０１１９９００３０７００１６", "***"},
		{"phone", "13800138000", "138****8000"}, {"phone", "12800138000", "***"}, {"phone", "1380013800", "***"},
		{"landline", "0668-2881234", "0668-288****"}, {"landline", "02088881234", "0208888****"}, {"landline", "2881234", "288****"},
		{"landline", "110", "***"},
		{"passport", "E12345678", "E1*****78"}, {"passport", "ea1234567", "EA*****67"}, {"passport", "12345678", "***"},
		{"permit", "H12345678", "H1*****78"}, {"permit", "M1234567801", "M1*******01"}, {"permit", "12345678", "12****78"}, {"permit", "X", "***"},
		{"plate", "粤K12345", "粤K***45"}, {"plate", "粤KD12345", "粤K****45"}, {"plate", "粤K1234警", "粤K***4警"}, {"plate", "K12345", "***"},
		{"mail", "zhangsan@mail.example", "z***@mail.example"}, {"mail", "zhangsan", "***"}, {"mail", "a@b@c.de", "***"},
		{"address", "广东省茂名市茂南区光华路1号", "广东省茂名市茂南区***"}, {"address", "广西壮族自治区南宁市横县某镇", "广西壮族自治区南宁市横县***"},
		{"address", "北京市海淀区某街2号", "北京市海淀区***"}, {"address", "茂名市高凉社区3号", "茂名市***"},
		{"address", "茂名市光华路市场3号", "茂名市***"}, {"address", "光华路3号", "***"},
	} {
		if got := kinds[c.kind](c.in); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.kind, c.in, got, c.want)
		}
	}
}

func TestNumbersInWords(t *testing.T) {
	for in, want := range map[string]string{
		"":                  "",
		"办事很快，谢谢":           "办事很快，谢谢",
		"A023 等了太久":         "A023 等了太久",
		"打13800138000找我":    "打138****8000找我",
		"电话：138 0013 8000。": "电话：138****8000。",
		"138-0013-8000":     "138****8000",
		"打１３８００１３８０００":      "打138****8000",
		"身份证991101199003070016，13912345678": "身份证9911**********0016，139****5678",
		"991101 19900307 0016":              "9911**********0016",
		"老证991101900307001":                 "老证9911********001",
		"家里0668-2881234":                    "家里0668-288****",
		"护照E12345678":                       "护照E1*****78",
		"通行证M1234567801":                    "通行证M1*******01",
		"粤K·12345挡住了":                       "粤K***45挡住了",
		"写到zhangsan@mail.example":           "写到z***@mail.example",
		"zhangsan@10.example":               "***",
		"大厅440900000000001":                 "大厅440900000000001",
		"流水号20260305000023":                 "流水号20260305000023",
		"单号138001380001":                    "单号138001380001",
	} {
		if got := mask.Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func digits(s string) (n int) {
	for _, r := range s {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// FuzzMask: whatever comes, a mask shows eight digits at most, nothing that works on others, and masks what it showed to the same.
func FuzzMask(f *testing.F) {
	for _, s := range []string{
		"张小三", "991101199003070016", "13800138000", "0668-2881234", "E12345678", "A000000000", "粤K12345", "z@mail.example", "广东省茂名市茂南区光华路1号", "张\x1bp\x00", "***",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for kind, of := range kinds {
			shown := of(s)
			if digits(shown) > 8 {
				t.Errorf("%s shows %q of %q", kind, shown, s)
			}
			if strings.ContainsFunc(shown, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
				t.Errorf("%s shows %q", kind, shown)
			}
			if again := of(shown); again != shown {
				t.Errorf("%s shows %q of %q, and %q of that", kind, shown, s, again)
			}
			if shown == strings.TrimSpace(s) && shown != mask.Hidden && !strings.Contains(s, "*") {
				t.Errorf("%s hides nothing of %q", kind, s)
			}
		}
		once := mask.Text(s)
		if again := mask.Text(once); again != once {
			t.Errorf("%q, then %q", once, again)
		}
	})
}

// FuzzText: a number of a person is found between any words.
func FuzzText(f *testing.F) {
	f.Add("电话", "找我", uint32(138_0013))
	f.Fuzz(func(t *testing.T, before, behind string, n uint32) {
		number := "139" + string(rune('0'+n%10)) + "7654321"
		got := mask.Text(before + "，" + number + "。" + behind)
		if strings.Contains(got, number) && !strings.Contains(before+behind, number) {
			t.Errorf("%q", got)
		}
	})
}
