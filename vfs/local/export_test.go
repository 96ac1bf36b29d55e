package local

// SweepVersions is what a timer does.
func (d *Dir) SweepVersions() {
	if err := d.sweepVersions(); err != nil {
		panic(err)
	}
}
