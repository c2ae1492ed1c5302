package sdt

import (
	"strconv"
	"strings"
)

// Sex is a code of GB/T 2261.1.
type Sex byte

// The codes.
const (
	SexUnknown   Sex = '0'
	Male         Sex = '1'
	Female       Sex = '2'
	SexNotStated Sex = '9'
)

// String gives the code's name in Chinese; a code outside the standard reads as unknown.
func (s Sex) String() string {
	switch s {
	case Male:
		return "男"
	case Female:
		return "女"
	case SexNotStated:
		return "未说明"
	}
	return "未知"
}

// EthnicName gives the name of a two-digit GB 3304 code, or the code itself if the standard has none.
func EthnicName(code string) string {
	const names = "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 " +
		"柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 " +
		"赫哲 门巴 珞巴 基诺"
	switch code {
	case "97":
		return "其他"
	case "98":
		return "外国血统中国籍人士"
	}
	n, err := strconv.ParseUint(code, 10, 8)
	list := strings.Fields(names)
	if err != nil || len(code) != 2 || n < 1 || n > uint64(len(list)) {
		return code
	}
	return list[n-1]
}

// IDCheckCharacter gives the last character of an 18-character identity number from its first 17 digits, by GB 11643
// (ISO 7064 MOD 11-2). ok is false when they are not 17 digits.
func IDCheckCharacter(first17 string) (check byte, ok bool) {
	if len(first17) != 17 {
		return 0, false
	}
	sum := 0
	for i := range len(first17) {
		digit := int(first17[i]) - '0'
		if digit < 0 || digit > 9 {
			return 0, false
		}
		sum = (sum + digit) * 2 % 11
	}
	return "10X98765432"[sum], true
}

// ValidIDNumber reports whether s is an 18-character number with a right check character. It serves resident cards, residence
// permits and the 2023 card of foreigners; the check rule of the 15-character foreigner number is not published.
func ValidIDNumber(s string) bool {
	if len(s) != 18 {
		return false
	}
	check, ok := IDCheckCharacter(s[:17])
	return ok && check == s[17]
}
