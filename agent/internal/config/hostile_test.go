package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/kit/strictyaml"
)

// Threat 11: the names that a hall shows, says and prints are those of its staff, queues and windows. One that steers a printer, fills
// a page, or reads otherwise than it is written is named when the file is loaded, and the last good file goes on.
func TestThreat11NamesThatSayMoreThanTheyShow(t *testing.T) {
	const mine = "name: 张示例"
	for name, bad := range map[string]struct {
		written string // in YAML, so that its escapes are
		code    strictyaml.Code
	}{
		"opens the cash drawer": {`"张\x1Bp\x00"`, config.Characters},
		"NUL":                   {`"张\0三"`, config.Characters},
		"C1":                    {`"张\x9B三"`, config.Characters},
		"a new line":            {`"张\n三"`, config.Characters},
		"a line separator":      {`"张\u2028三"`, config.Characters},
		"right to left":         {`"张\u202E三李四"`, config.Characters},
		"isolated direction":    {`"张\u2067三\u2069"`, config.Characters},
		"nothing to be seen":    {`"张\u200B三"`, config.Characters},
		"zalgo":                 {`"张` + strings.Repeat(`\u0301`, 20) + `"`, config.Characters},
		"marks on marks":        {`"a\u0489\u0489\u0489"`, config.Characters},
		"no NFC":                {`"Jose\u0301"`, config.Characters},
		"private use":           {`"张\uE000"`, config.Characters},
		"ten thousand letters":  {strings.Repeat("张", 10_000), strictyaml.TooLong},
		"one letter too many":   {strings.Repeat("张", 33), strictyaml.TooLong},
		"nothing":               {`"\u3000 "`, strictyaml.Missing},
	} {
		path := site(t)
		edit(t, filepath.Join(filepath.Dir(path), "hall.yaml"), mine, "name: "+bad.written)
		_, problems := config.Load(path)
		if len(problems) != 1 || problems[0].Code != bad.code || problems[0].Path != "$.staff[0].name" {
			t.Errorf("%s: %v", name, problems)
		}
	}
	for _, good := range []string{"张三", "欧阳娜", "阿依古丽·买买提", "José Núñez", "Nguyễn Thị Ánh", "张三（实习）", strings.Repeat("张", 32)} {
		path := site(t)
		edit(t, filepath.Join(filepath.Dir(path), "hall.yaml"), mine, "name: "+good)
		if _, problems := config.Load(path); len(problems) != 0 {
			t.Errorf("%s: %v", good, problems)
		}
	}
	for where, old := range map[string]string{"$.queues[1].name": "name: 社会保险", "$.windows[0].name": "name: 1号综合窗口"} {
		path := site(t)
		edit(t, filepath.Join(filepath.Dir(path), "hall.yaml"), old, `name: "综\u202E合"`)
		if _, problems := config.Load(path); len(problems) != 1 || problems[0].Code != config.Characters || problems[0].Path != where {
			t.Errorf("%s: %v", where, problems)
		}
	}
}
