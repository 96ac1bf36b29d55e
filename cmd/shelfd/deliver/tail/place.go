package tail

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Place is where in a log: behind a line. The zero Place is its beginning.
type Place struct {
	ID     string    `json:"id,omitempty"` // of the line
	Seq    uint64    `json:"seq,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	File   string    `json:"file,omitempty"`   // the id of the first line of its file
	Offset int64     `json:"offset,omitempty"` // of the end of the line in its file, unpacked
}

// run is what the ids of one run of the server begin with.
func run(id string) string {
	before, _, _ := strings.Cut(id, "-")
	return before
}

// find opens the file that has the place, behind it; io.EOF is that there is no line.
// If the line is not there any more, it is behind the last line that is there of the
// same run of the server: a power cut may have taken lines that were read here. If
// there is none of that run, it is where what is younger begins.
func (l *Log) find() error {
	if f, err := os.Open(l.path); err == nil {
		f.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var all []file
	retried(func() bool {
		all = filesOf(l.path)
		return l.place.ID != "" || len(all) == 0 || all[0].first.Seq == 1
	})
	if len(all) == 0 {
		return io.EOF
	}
	if l.place.ID == "" {
		return l.begin(all[0])
	}
	for _, f := range all {
		if f.first.ID == l.place.File { // the usual case
			lines, err := openAt(f, l.place)
			if errors.Is(err, errMoved) {
				return err
			}
			if err == nil && lines != nil {
				l.lines = lines
				return nil
			}
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		lines, err := openBehindRun(all[i], l.place)
		if err != nil {
			return err
		}
		if lines != nil {
			l.lines = lines
			return nil
		}
	}
	for _, f := range all {
		if f.first.Time.After(l.place.Time) {
			return l.begin(f)
		}
	}
	return l.begin(all[len(all)-1])
}

func (l *Log) begin(f file) (err error) {
	l.lines, err = openLines(f)
	return err
}

// openAt opens a file behind a line that ends at its offset; nil is that another
// line is there, or none.
func openAt(f file, p Place) (*lines, error) {
	l, err := openLines(f)
	if err != nil {
		return nil, err
	}
	if last, err := l.skipTo(p.Offset); err != nil || last.ID != p.ID {
		l.close()
		return nil, err
	}
	return l, nil
}

// openBehindRun opens a file behind the last line of the run of a place that is not
// behind that place; nil is that there is none.
func openBehindRun(f file, p Place) (*lines, error) {
	if f.first.Seq > p.Seq && run(f.first.ID) == run(p.ID) {
		return nil, nil
	}
	l, err := openLines(f)
	if err != nil {
		return nil, err
	}
	found := int64(-1)
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			l.close()
			return nil, err
		}
		if run(line.ID) == run(p.ID) && line.Seq <= p.Seq {
			found = l.offset
		}
	}
	l.close()
	if found < 0 {
		return nil, nil
	}
	if l, err = openLines(f); err != nil {
		return nil, err
	}
	if _, err := l.skipTo(found); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// End is the place behind the last line that there is now.
func End(path string) (Place, error) {
	return last(path, func(Line) bool { return true })
}

// Before is the place before the line of a number, of what there is now, or the
// beginning if that is younger.
func Before(path string, seq uint64) (p Place, err error) {
	for p, err = before(path, seq); errors.Is(err, errMoved); {
		p, err = before(path, seq)
	}
	return p, err
}

func before(path string, seq uint64) (Place, error) {
	all := filesOf(path)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].first.Seq < seq {
			return lastIn(all[i], func(line Line) bool { return line.Seq < seq })
		}
	}
	return Place{}, nil
}

// Since is the place before the first line that is not older.
func Since(path string, t time.Time) (Place, error) {
	return last(path, func(line Line) bool { return line.Time.Before(t) })
}

// last is the place behind the last line that fits, of the youngest file that has any.
func last(path string, fits func(Line) bool) (Place, error) {
	all := filesOf(path)
	for i := len(all) - 1; i >= 0; i-- {
		p, err := lastIn(all[i], fits)
		if errors.Is(err, errMoved) {
			return last(path, fits)
		}
		if err != nil || p.ID != "" {
			return p, err
		}
	}
	return Place{}, nil
}

// lastIn is the place behind the last line of a file that fits.
func lastIn(f file, fits func(Line) bool) (p Place, err error) {
	l := &Log{}
	if l.lines, err = openLines(f); err != nil {
		return p, err
	}
	defer l.Close()
	for {
		line, err := l.lines.next()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		if fits(line) {
			l.took(line)
			p = l.place
		}
	}
}
