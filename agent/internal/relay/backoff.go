package relay

import "time"

// pace is how long to wait before trying again: floor plus a random part of a span that doubles from base up to top.
type pace struct{ floor, base, top time.Duration }

// paces says how patient to be, by what went wrong. Cameras lock an account after a handful of wrong logins and refuse
// everybody when their few connections are taken, so those waits are long.
type paces struct{ network, busy, missing, login, refused pace }

func defaultPaces() paces {
	return paces{
		network: pace{base: time.Second, top: time.Minute},
		busy:    pace{floor: 30 * time.Second, base: 15 * time.Second, top: time.Minute},
		missing: pace{floor: time.Minute, base: 30 * time.Second, top: 2 * time.Minute},
		login:   pace{floor: 5 * time.Minute, base: time.Minute, top: 5 * time.Minute},
		refused: pace{floor: 10 * time.Second, base: 10 * time.Second, top: 5 * time.Minute},
	}
}

func (p paces) of(r Reason) pace {
	switch r {
	case CameraLogin:
		return p.login
	case CameraBusy, NodeBusy:
		return p.busy
	case CameraNoStream, CameraNoVideo, CameraNotAllowed:
		return p.missing
	case NodeRefused, NodeUnproven:
		return p.refused
	}
	return p.network
}

// wait gives the pause before attempt number n (from 0). random is in [0, 1).
func (p pace) wait(n int, random float64) time.Duration {
	span := p.base
	for range n {
		if span >= p.top {
			break
		}
		span *= 2
	}
	return p.floor + time.Duration(random*float64(min(span, p.top)))
}
