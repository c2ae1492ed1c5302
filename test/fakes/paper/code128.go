package paper

import (
	"errors"
	"fmt"
	"strings"
)

// widths are the bars and spaces of the characters 0 to 105 of Code 128, in modules (ISO/IEC 15417, table 1). 103 to 105 are the starts
// with sets A, B and C.
const widths = "" +
	"212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 " +
	"122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 " +
	"321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311 " +
	"211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113 " +
	"213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422 " +
	"121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 " +
	"241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 " +
	"412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 " +
	"211214 211232"

// stopWidths end every code.
const stopWidths = "2331112"

// code128 gives the modules of a code, true is black, and what a reader says of it. data is as GS k wants it: it begins with {B or {C,
// and {{ is a brace; set C takes two digits a byte.
func code128(data []byte) (modules []bool, text string, err error) {
	if len(data) < 3 || data[0] != '{' || data[1] != 'B' && data[1] != 'C' {
		return nil, "", errors.New("no set before the data of Code 128")
	}
	values := []int{104}
	var read strings.Builder
	rest := data[2:]
	if data[1] == 'C' {
		values[0] = 105
		for _, b := range rest {
			if b > 99 {
				return nil, "", fmt.Errorf("two digits %d", b)
			}
			values = append(values, int(b))
			fmt.Fprintf(&read, "%02d", b)
		}
	} else {
		for i := 0; i < len(rest); i++ {
			b := rest[i]
			if b == '{' {
				if i++; i == len(rest) || rest[i] != '{' {
					return nil, "", errors.New("another set inside Code 128")
				}
			}
			if b < 0x20 || b > 0x7E {
				return nil, "", fmt.Errorf("byte %#02x in set B", b)
			}
			values = append(values, int(b)-0x20)
			read.WriteByte(b)
		}
	}
	check := values[0]
	for i, v := range values {
		check += i * v
	}
	table := strings.Fields(widths)
	for _, v := range append(values, check%103) {
		modules = paint(modules, table[v])
	}
	return paint(modules, stopWidths), read.String(), nil
}

// paint appends bars and spaces in turn.
func paint(modules []bool, widths string) []bool {
	for i, w := range widths {
		for range w - '0' {
			modules = append(modules, i%2 == 0)
		}
	}
	return modules
}
