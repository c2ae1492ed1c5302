package config_test

import (
	"testing"

	"halledge/agent/internal/config"
)

// What a queue does not say about admission the hall says, and what neither does has its default.
func TestQueuesTakeTheAdmissionOfTheHall(t *testing.T) {
	number := func(n int) *int { return &n }
	p := config.Plan{Rules: config.Rules{Admission: config.HallAdmission{Closing: "stop", LateMin: number(0), PerPerson: number(2)}}}
	a := p.AdmissionOf(config.Queue{Admission: config.Admission{Quota: 7, PerPerson: number(0)}})
	if a.Quota != 7 || *a.PerPerson != 0 || a.Closing != "stop" || *a.LateMin != 0 || *a.EarlyMin != 15 || a.SlotMin != 30 {
		t.Errorf("%+v: per person %d, early %d, late %d", a, *a.PerPerson, *a.EarlyMin, *a.LateMin)
	}
}
