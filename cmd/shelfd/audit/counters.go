package audit

import "time"

// Counters is how it goes with a [Log].
type Counters struct {
	Lines       uint64    // written since the server has started
	Failures    uint64    // lines that were not written, and syncs that failed
	Failing     bool      // lines are missing, and none could be written since; or the last could not be synced
	LastFailure time.Time // zero is none
	LastError   string    // of that time
	Size        int64     // of the file, in bytes
	Rotations   uint64    // files begun because the last was too large
}

// Counters tells how it goes. A nil Log has none.
func (l *Log) Counters() Counters {
	if l == nil {
		return Counters{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.count
	c.Size = l.file.size
	return c
}
