package browser_test

import "testing"

// Codes of citizens at a kiosk: one that the province knows, and one that nobody can be asked about.
func TestKioskCodes(t *testing.T) {
	s := begin(t)
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务")
	s.Sim(t, "scan", "YSS-SIM-5501")
	p.Sees("粤省事码已核对，请选择业务")
	p.Click("button", "社保医保")
	p.Sees("B001")
	p.Sees("请选择要办理的业务") // the visit is over
	s.Sim(t, "province", "down")
	s.Sim(t, "scan", "YSS-SIM-5502")
	p.Sees("码核验不了", "到窗口看身份证")
	s.shot(t, p, "kiosk-code-pending")
	p.Click("button", "不动产登记")
	p.Sees("C001")
}
