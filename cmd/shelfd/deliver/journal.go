package deliver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"shelf/cmd/shelfd/deliver/tail"
)

// journal is the file of what a receiver has read and not delivered yet: a line of JSON
// for each step, added at its end. When it has grown, what still counts is written to a
// new file, which takes its place.
//
// A kill -9 loses no line. A power cut may lose those of the last second, or leave
// nonsense in their place: what is behind the first line that makes no sense is cut off.
// Then events are read and sent once more, and none is lost.
type journal struct {
	path  string
	file  *os.File
	size  int64
	dirty bool // lines were written and not synced
	err   error
}

// record is a line of the journal. What is in it happened in one step.
type record struct {
	Read      *reading   `json:"read,omitempty"`
	Delivered string     `json:"delivered,omitempty"` // id of an event
	Dropped   string     `json:"dropped,omitempty"`   // id of an event that was given up
	Failed    *failure   `json:"failed,omitempty"`
	Off       *string    `json:"off,omitempty"` // the receiver wants no more, and why; "" is that it does again
	Pause     *time.Time `json:"pause,omitempty"`
	At        time.Time  `json:"at,omitzero"`
}

// reading is how far a log was read, and which events were found on the way.
type reading struct {
	Log    string            `json:"log,omitempty"`
	Place  tail.Place        `json:"place,omitzero"`
	Events []json.RawMessage `json:"events,omitempty"`
}

// failure is that a try has failed.
type failure struct {
	ID     string    `json:"id"`
	Tries  int       `json:"tries"`
	First  time.Time `json:"first"`
	Due    time.Time `json:"due"`
	Silent bool      `json:"silent,omitempty"`
	Reason string    `json:"reason"`
}

// state is what a journal says.
type state struct {
	places    map[string]tail.Place // by log
	events    map[string]*event
	order     []*event  // may have some that are done
	off       string    // why the receiver wants no more; "" is that it does
	offAt     time.Time //
	pause     time.Time // until when it wants none
	delivered time.Time // when the last event was
	cut       int64     // bytes at the end that made no sense
}

func newState() *state {
	return &state{places: make(map[string]tail.Place), events: make(map[string]*event)}
}

// apply takes over a line.
func (s *state) apply(r record) error {
	if r.Read != nil {
		for _, text := range r.Read.Events {
			e, err := newEvent(text)
			if err != nil {
				return err
			}
			if s.events[e.ID] == nil {
				s.events[e.ID] = e
				s.order = append(s.order, e)
			}
		}
		if r.Read.Log != "" {
			s.places[r.Read.Log] = r.Read.Place
		}
	}
	if r.Delivered != "" {
		delete(s.events, r.Delivered)
		s.delivered = r.At
	}
	delete(s.events, r.Dropped)
	if f := r.Failed; f != nil {
		if e := s.events[f.ID]; e != nil {
			e.tries, e.first, e.tried, e.due, e.silent, e.reason = f.Tries, f.First, r.At, f.Due, f.Silent, f.Reason
		}
	}
	if r.Off != nil {
		s.off, s.offAt = *r.Off, r.At
	}
	if r.Pause != nil {
		s.pause = *r.Pause
	}
	return nil
}

// waiting are the events that are not delivered, in their order.
func (s *state) waiting() *queue {
	q := newQueue()
	for _, e := range s.order {
		if s.events[e.ID] == e {
			q.add(e)
		}
	}
	return q
}

// readJournal reads a journal; one that is not there is empty. good is where what
// makes sense ends.
func readJournal(path string) (s *state, good int64, err error) {
	s = newState()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		var r record
		if err != nil || json.Unmarshal(line, &r) != nil || s.apply(r) != nil {
			info, err := f.Stat()
			s.cut = info.Size() - good
			return s, good, err
		}
		good += int64(len(line))
	}
}

// openJournal opens a journal, to go on behind what makes sense in it.
func openJournal(path string) (*journal, *state, error) {
	s, good, err := readJournal(path)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{path: path, file: f, size: good}
	if err := errors.Join(f.Truncate(good), f.Sync(), syncFolder(path)); err != nil {
		f.Close()
		return nil, nil, err
	}
	return j, s, nil
}

// write adds a line. After an error nothing is added until rewrite has succeeded.
func (j *journal) write(r record) error {
	if j.err != nil {
		return j.err
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		j.err = fmt.Errorf("the journal cannot be written: %w", err)
		return j.err
	}
	j.size += int64(len(line)) + 1
	j.dirty = true
	return nil
}

// sync makes what was written survive a power cut.
func (j *journal) sync() error {
	if !j.dirty || j.err != nil {
		return j.err
	}
	if err := j.file.Sync(); err != nil {
		j.err = fmt.Errorf("the journal cannot be written: %w", err)
		return j.err
	}
	j.dirty = false
	return nil
}

// large tells whether most of the journal does not count any more.
func (j *journal) large(live int) bool { return j.size > 1<<20+2*int64(live) }

// rewrite writes what still counts to a new file, which takes the place of the old.
func (j *journal) rewrite(all []record) error {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	for _, r := range all {
		if err := to.Encode(r); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(j.path+".new", os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		f.Close()
		return err
	}
	j.file.Close()
	*j = journal{path: j.path, file: f, size: int64(text.Len())}
	return syncFolder(j.path)
}

func (j *journal) close() error { return errors.Join(j.sync(), j.file.Close()) }

// syncFolder makes the name of a file survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
