package sdtreader

import (
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/firmware-protocols/sdt"
)

// Threat 14: a reader whose answers are no frames (a wrong checksum, a length of 64 KiB) is closed and opened anew after three in a
// row, and asked how it is, which resets a module that is not well. It works again as soon as it speaks again.
func TestThreat14ThreeBadFramesResetTheReader(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(frame []byte){
		"wrong checksum":  func(f []byte) { f[len(f)-1] ^= 1 },
		"length of 64KiB": func(f []byte) { f[5], f[6] = 0xFF, 0xFF },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, newReader(t), 115200, nil)
			drivertest.Reaches(t, r.device, device.OK, "")
			opened, before := r.device.Health().Counters.Opens, r.far.count(sdt.CmdFind)
			r.far.with(func(r *reader) { r.bad = spoil })
			drivertest.Until(t, "two bad frames", func() bool { return r.far.count(sdt.CmdFind) >= before+maxMisses-1 })
			if got := r.device.Health().Counters.Opens; got != opened {
				t.Errorf("opened anew after fewer than %d bad frames", maxMisses)
			}
			drivertest.Reaches(t, r.device, device.Offline, device.CodeBadReply)
			if got := r.far.count(sdt.CmdFind) - before; got > maxMisses+1 {
				t.Errorf("asked %d times", got)
			}
			r.far.with(func(r *reader) { r.bad, r.say[sdt.CmdStatus] = nil, []sdt.Status{sdt.StatusSelfTest} })
			resets := r.far.count(sdt.CmdReset)
			drivertest.Reaches(t, r.device, device.OK, "")
			if r.device.Health().Counters.Opens == opened || r.far.count(sdt.CmdReset) == resets {
				t.Error("it was not opened anew and reset")
			}
			r.far.tap(zhang())
			r.card()
		})
	}
}
