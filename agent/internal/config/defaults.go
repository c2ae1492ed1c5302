package config

import (
	"path/filepath"

	"halledge/agent/kit/strictyaml"
)

// The values that stand where a file says nothing.
const (
	DefaultData = "/var/lib/hall-agent"
)

func defaultSite() Site {
	return Site{
		Hall:    Identity{Profile: "full"},
		Data:    DefaultData,
		Plan:    "hall.yaml",
		Web:     Web{Listen: ":8080", TLS: "auto"},
		Codes:   Codes{Resolver: "none"},
		Relay:   Relay{LingerS: 10},
		Voice:   Sounds{Espeak: "auto"},
		Journal: Journal{MaxMiB: 2048, RetainDays: 7},
		Log:     Log{Level: "info"},
	}
}

func defaultPlan() Plan {
	return Plan{
		Zone: "Asia/Shanghai",
		Rules: Rules{
			TakesPerS: 5, CallGapS: 5, Arrival: "assumed", PassRecallS: 600, WaitMinCount: 5, Reprints: 2, MaxOpen: 3, EndAfterMin: 30, EndFrom: "17:00",
			Voice:  Voice{Repeat: 2, Languages: []string{"zh-CN"}, Rate: 100, Volume: 80, MaxAgeS: 180},
			Panels: Panels{Waiting: "欢迎光临", Paused: "暂停服务", Closed: "暂未开放"},
			SignIn: SignIn{LockMin: 10},
		},
	}
}

// fill makes paths absolute.
func (s *Site) fill(dir string) {
	s.Data = strictyaml.Absolute(dir, s.Data)
	s.Plan = strictyaml.Absolute(dir, s.Plan)
	for language, pack := range s.Voice.Packs {
		s.Voice.Packs[language] = strictyaml.Absolute(dir, pack)
	}
	for _, path := range []*string{&s.Codes.CA, &s.Codes.Rules, &s.Hall.Logo} {
		if *path != "" {
			*path = strictyaml.Absolute(dir, *path)
		}
	}
}

// fill gives list entries the values a file may leave out.
func (p *Plan) fill() {
	for i := range p.Queues {
		q := &p.Queues[i]
		setDefault(&q.Identity, "none")
	}
	for i := range p.Windows {
		setDefault(&p.Windows[i].Name, p.Windows[i].ID+"号窗口")
	}
	for i := range p.Staff {
		setDefault(&p.Staff[i].Role, "clerk")
	}
	for i := range p.Kiosks {
		setDefault(&p.Kiosks[i].Name, p.Kiosks[i].ID+"号取号机")
		setDefault(&p.Kiosks[i].Camera, "none")
	}
	for i := range p.Screens {
		setDefault(&p.Screens[i].Name, p.Screens[i].ID+"号屏")
	}
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// lastGoodFile is where LoadOrLastGood keeps its copy below the data directory.
func lastGoodFile(dataDir string) string { return filepath.Join(dataDir, "config", "last-good.json") }
