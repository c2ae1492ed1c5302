package strictyaml

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/text/width"
)

// excerpt draws the line of a problem and a caret under its column:
//
//	12 | model: espos-80
//	   |        ^
func excerpt(lines []string, p place) string {
	if p.line > len(lines) {
		return ""
	}
	line := mask(lines[p.line-1])
	number := fmt.Sprintf("%4d", p.line)
	return number + " | " + line + "\n" + strings.Repeat(" ", len(number)) + " | " + pad(line, p.col-1) + "^\n"
}

// pad gives white space as wide as the first n characters of line: Chinese characters take two columns, a tab stays a tab.
func pad(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n--; n < 0 {
			break
		}
		switch k := width.LookupRune(r).Kind(); {
		case r == '\t':
			b.WriteByte('\t')
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			b.WriteString("\u3000")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// What looks like credentials: the user part of an address, and the value of a key with a telling name.
var (
	userInfo  = regexp.MustCompile(`://[^\s/@]+@`)
	secretKey = regexp.MustCompile(`(?i)([\w-]*(?:pass|pwd|secret|token|pin\b)[\w-]*["']?\s*:\s+)([^\s,}][^,}]*)`)
)

// mask hides passwords that stand in a file although they should not: problems are shown on pages and written to logs.
// References to files are no secret.
func mask(line string) string {
	line = userInfo.ReplaceAllString(line, "://***@")
	return secretKey.ReplaceAllStringFunc(line, func(m string) string {
		part := secretKey.FindStringSubmatch(m)
		if strings.HasPrefix(strings.Trim(part[2], `"'`), "file:") {
			return m
		}
		return part[1] + "***"
	})
}
