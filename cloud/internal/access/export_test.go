package access

// Occupy lets no password be judged until free is called.
func (d *Desk) Occupy() (free func()) {
	for range hashesAtOnce {
		d.hashes <- struct{}{}
	}
	return func() {
		for range hashesAtOnce {
			<-d.hashes
		}
	}
}

// Waiting counts those who wait for their passwords to be judged.
func (d *Desk) Waiting() int { return len(d.regulars) + len(d.strangers) }
