package local

import (
	"iter"

	"shelf/vfs/local/dirfd"
)

// others yields the folders of the other instances, living and dead.
func (s *stages) others() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range dirfd.Names(s.topFd()) {
			if err == nil && (!isRandom(name) || name == s.folder.Name()) {
				continue
			}
			if !yield(name, err) || err != nil {
				return
			}
		}
	}
}

// isShared tells whether other servers may be alive.
func (d *Dir) isShared() bool {
	for range d.instance().others() {
		return true // also if that cannot be told
	}
	return false
}

// seen is the other instances that there were when so many had begun in all.
type seen struct {
	begun uint64
	names []string
}

// begunAt is where the file of the lock has how many instances have begun; the
// number of the last upload is before it.
const begunAt = 8

// beside has the folder of each other instance that may be alive. Every upload asks,
// so the folder is only read anew if an instance has begun since. s.lock is held.
func (s *stages) beside() ([]string, error) {
	begun, err := readNumber(s.lock.File(), begunAt)
	if err != nil || begun == s.seen.begun {
		return s.seen.names, err
	}
	var names []string
	for name, err := range s.others() {
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	s.seen = seen{begun: begun, names: names}
	return names, nil
}

// countBegun tells the others that an instance begins; s.lock is held.
func (s *stages) countBegun() error {
	begun, err := readNumber(s.lock.File(), begunAt)
	if err != nil {
		return err
	}
	return writeNumber(s.lock.File(), begun+1, begunAt)
}
