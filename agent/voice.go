package agent

import (
	"slices"

	"halledge/agent/internal/config"
	"halledge/agent/internal/voice"
	"halledge/firmware-protocols/hallsync"
)

// buildVoice makes what calls citizens aloud.
func (a *Agent) buildVoice() {
	log := a.log.With("part", "voice")
	a.sounds = voice.NewSounds(a.cfg.Site.Voice, log)
	a.voice = voice.New(voice.Options{
		Hall: a.hall, Zones: a.zones(), Rules: a.spoken, Sounds: a.sounds, Log: log,
	})
}

// zones are the speakers and the windows each calls for: those that the plan gives it, else those of the place it stands at.
func (a *Agent) zones() (out []voice.Zone) {
	plan := a.plan.Load()
	for _, d := range a.devices.Speakers() {
		windows := windowsOf(plan, d.Place)
		for _, z := range plan.Rules.Voice.Zones {
			if z.Speaker == d.Name {
				windows = z.Windows
			}
		}
		zone := voice.Zone{Name: d.Name, Speaker: d.Device}
		for _, w := range windows {
			zone.Windows = append(zone.Windows, hallsync.WindowID(w))
		}
		out = append(out, zone)
	}
	return out
}

// windowsOf are the windows that concern a place; none: all.
func windowsOf(p *config.Plan, place config.Place) []string {
	switch place.Kind {
	case "window":
		return []string{place.ID}
	case "screen":
		if i := slices.IndexFunc(p.Screens, func(s config.Screen) bool { return s.ID == place.ID }); i >= 0 {
			return p.Screens[i].Windows
		}
	}
	return nil
}

// spoken is how calls are spoken now.
func (a *Agent) spoken() config.Voice { return a.plan.Load().Rules.Voice }
