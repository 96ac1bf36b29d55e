// Package tail reads an audit log while it grows, and finds its place in it again:
// after a restart of its own or of the server, when the file was renamed, packed or
// cut, and when lines are gone.
//
//	tail.go   Log: the next line, from file to file
//	place.go  Place: where in a log
//	files.go  the files of a log, in their order
//	lines.go  the lines of one file
//
// It only reads, and looks again now and then. The server does not know of it.
package tail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shelf/cmd/shelfd/audit"
)

// Line is a line of the log.
type Line struct {
	audit.Line
	Text   []byte // without its newline; good until the next one is read
	Missed uint64 // lines before it that are gone
	Anew   bool   // it is the first of a log that has taken the place of another
}

// Log is an audit log that is read. It is not safe for concurrent use.
type Log struct {
	path  string
	place Place
	lines *lines // nil if no file is open

	ahead  []file    // that follow, as they were listed; they may have other names now
	looked time.Time // when the folder had last changed when it was looked for younger files
}

// Open makes a Log that goes on behind a place. The file need not be there yet.
func Open(path string, from Place) *Log { return &Log{path: path, place: from} }

// Place is behind the last line that was read.
func (l *Log) Place() Place { return l.place }

// Close closes what is open.
func (l *Log) Close() {
	if l.lines != nil {
		l.lines.close()
		l.lines, l.looked = nil, time.Time{}
	}
}

// Next returns the next line; [io.EOF] is that there is none yet. Any other error is
// about the file, and it may be tried again.
func (l *Log) Next() (Line, error) {
	for {
		if l.lines == nil {
			if err := l.find(); errors.Is(err, errMoved) {
				continue
			} else if err != nil {
				return Line{}, err
			}
		}
		line, err := l.lines.next()
		if err == nil {
			return l.took(line), nil
		}
		if !errors.Is(err, io.EOF) {
			l.Close()
			return Line{}, fmt.Errorf("%s: %w", l.path, err)
		}
		if err := l.turn(); err != nil && !errors.Is(err, errMoved) {
			return Line{}, err
		}
	}
}

// took makes the line just read the place.
func (l *Log) took(line Line) Line {
	was := l.place
	switch {
	case was.Seq == 0 && line.Seq > 1:
		line.Missed = line.Seq - 1
	case was.Seq > 0 && line.Seq > was.Seq+1:
		line.Missed = line.Seq - was.Seq - 1
	case was.Seq > 0 && line.Seq <= was.Seq:
		// Also when a power cut took lines that were read here already: those
		// that follow have their numbers.
		line.Anew = true
	}
	l.place = Place{ID: line.ID, Seq: line.Seq, Time: line.Time.Time, File: l.lines.first, Offset: l.lines.offset}
	return line
}

// turn is called at the end of a file. It returns nil if there may be more: in this
// file, in one that has taken its place, or in one that was begun after it.
func (l *Log) turn() error {
	now, err := os.Stat(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case err == nil && l.lines.is(now):
		if now.Size() >= l.lines.offset {
			return io.EOF
		}
		l.Close() // it was cut: what was in it may have been copied
		return nil
	case l.lines.ended:
		return l.step()
	case !l.younger(now):
		return io.EOF
	}
	// The last line of this file was written before the next one was begun, but maybe
	// after its end was seen.
	l.lines.ended = true
	return nil
}

// clockTick is longer than the time of a folder may stay the same although it changes.
const clockTick = time.Second

// younger tells whether a line was written to a younger file. path is what has the
// path now, and nil if nothing has: whoever renames the file makes an empty one, or
// none, and the server goes on with the old one until it is told.
func (l *Log) younger(path fs.FileInfo) bool {
	if path != nil && path.Size() > 0 || len(l.ahead) > 0 {
		return true
	}
	folder, err := os.Stat(filepath.Dir(l.path))
	if err != nil || folder.ModTime().Equal(l.looked) && time.Since(l.looked) > clockTick {
		return false
	}
	l.looked = folder.ModTime()
	all := filesOf(l.path)
	at := slices.IndexFunc(all, l.lines.isOf)
	return at >= 0 && at+1 < len(all)
}

// step goes on to the next file; io.EOF is that it has no line yet.
func (l *Log) step() error {
	if len(l.ahead) > 0 && l.ahead[0].first.Seq == l.place.Seq+1 {
		next, rest := l.ahead[0], l.ahead[1:]
		if lines, err := openLines(next); err == nil {
			l.Close()
			l.lines, l.ahead = lines, rest
			return nil
		}
	}
	l.ahead = nil
	var all []file
	var at int
	retried(func() bool {
		all = filesOf(l.path)
		at = slices.IndexFunc(all, l.lines.isOf)
		return at < 0 || at+1 == len(all) || all[at+1].first.Seq <= l.place.Seq+1
	})
	if at < 0 { // it was removed meanwhile
		l.Close()
		return l.find()
	}
	if at+1 == len(all) {
		return io.EOF
	}
	next, err := openLines(all[at+1])
	if err != nil {
		return err
	}
	l.Close()
	l.lines, l.ahead = next, all[at+2:]
	return nil
}
