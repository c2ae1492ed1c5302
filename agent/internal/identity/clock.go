package identity

import "time"

// fileTime holds the last time that the centre has signed, so that a clock that is set back brings nothing back to life.
const fileTime = "time"

// floorStep is by how much the floor rises before it is written again: an hour of a certificate's year is nothing, and a disk is spared.
const floorStep = time.Hour

// Now gives the time that certificates are checked at: what the hall knows of the time, and never earlier than a time that the centre has
// signed.
func (i *Identity) Now() time.Time {
	now := i.o.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if now.Before(i.floor) {
		return i.floor
	}
	return now
}

// Learned says that the centre has signed a time: from now on it is not earlier. A time behind the end of our own certificates is a mistake
// of the centre's clock, and is not believed: it would shut the centre out.
func (i *Identity) Learned(at time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.now == nil || !at.After(i.floor) || !at.Before(i.now.until) {
		return
	}
	i.floor = at
	if at.Sub(i.floorKept) >= floorStep {
		i.keepFloor()
	}
}

// keepFloor brings the floor to the disk; mu is held. One that cannot be kept is only lower after the next start.
func (i *Identity) keepFloor() {
	if i.readOnly {
		return
	}
	if err := i.dir.write(fileTime, []byte(i.floor.UTC().Format(time.RFC3339)+"\n")); err != nil {
		i.o.Log.Warn("time of the centre not kept", "error", err)
		return
	}
	i.floorKept = i.floor
}

// loadFloor reads the floor: what was kept, and when the certificates were issued. A file that says nothing is as good as none.
func (i *Identity) loadFloor() {
	data, err := i.dir.read(fileTime)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.now == nil {
		return
	}
	i.floor = i.now.issued
	if err == nil {
		i.takeFloor(data)
	}
}

// takeFloor takes over the floor that was kept; mu is held, or nobody else knows of us yet.
func (i *Identity) takeFloor(data []byte) {
	at, err := time.Parse(time.RFC3339+"\n", string(data))
	if err == nil && at.After(i.floor) && at.Before(i.now.until) {
		i.floor, i.floorKept = at, at
	}
}

// begin starts the life of new papers: the time and the keys of the centre are what they say, whatever was believed before them.
func (i *Identity) begin(p *papers) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.floor, i.behind = p.issued, false
	i.keepFloor()
}
