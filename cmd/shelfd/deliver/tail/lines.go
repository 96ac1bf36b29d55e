package tail

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"shelf/cmd/shelfd/audit"
)

// maxLine is longer than any line, in bytes.
const maxLine = 128 << 10

// lines are the lines of a file.
type lines struct {
	file   *os.File
	packed bool
	read   *bufio.Reader
	first  string // the id of the first line
	offset int64  // of the end of the last whole line, unpacked
	ended  bool   // no line is added any more
}

// errMoved is that another file has the name now than when it was listed.
var errMoved = errors.New("it was renamed meanwhile")

// openLines opens a file that was listed.
func openLines(of file) (*lines, error) {
	f, err := os.Open(of.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMoved
	}
	if err != nil {
		return nil, err
	}
	l, err := linesOf(f)
	if err != nil {
		return nil, err
	}
	l.first = of.first.ID
	if line, err := l.next(); err != nil || line.ID != l.first {
		l.close()
		return nil, errMoved
	}
	if err := l.rewind(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// rewind goes back to the beginning.
func (l *lines) rewind() error {
	l.offset = 0
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if !l.packed {
		l.read.Reset(l.file)
		return nil
	}
	unpacked, err := gzip.NewReader(bufio.NewReader(l.file))
	if err == nil {
		l.read.Reset(unpacked)
	}
	return err
}

// linesOf closes the file if it fails.
func linesOf(f *os.File) (*lines, error) {
	l := &lines{file: f, packed: packed(f.Name())}
	if !l.packed {
		l.read = bufio.NewReaderSize(f, maxLine)
		return l, nil
	}
	unpacked, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		f.Close()
		return nil, err
	}
	l.read, l.ended = bufio.NewReaderSize(unpacked, maxLine), true
	return l, nil
}

func (l *lines) close() { l.file.Close() }

// is tells whether a file is the one that is read.
func (l *lines) is(info fs.FileInfo) bool {
	own, err := l.file.Stat()
	return err == nil && os.SameFile(own, info)
}

// isOf tells whether a file is that, by its first line: it may have been packed.
func (l *lines) isOf(f file) bool { return f.first.ID == l.first }

// next is the next whole line of an audit log; what is none, as a crash leaves it, is
// passed over. At the end it returns io.EOF and can be called again: a part of a line
// is then read anew, for it may be cut off and another one written in its place.
func (l *lines) next() (Line, error) {
	for {
		text, err := l.read.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			l.offset += int64(len(text)) // what is so long is no line of ours
			continue
		case errors.Is(err, io.EOF) && !l.packed:
			if _, err := l.file.Seek(l.offset, io.SeekStart); err != nil {
				return Line{}, err
			}
			l.read.Reset(l.file)
			return Line{}, io.EOF
		case err != nil:
			return Line{}, err
		}
		l.offset += int64(len(text))
		line := Line{Text: bytes.TrimSuffix(text, []byte("\n"))}
		if json.Unmarshal(line.Text, &line.Line) == nil && line.Op != "" && line.ID != "" {
			return line, nil
		}
	}
}

// skipTo goes to an offset that is the end of a line, and returns that line.
func (l *lines) skipTo(offset int64) (last audit.Line, err error) {
	if !l.packed {
		if _, err := l.file.Seek(max(0, offset-maxLine), io.SeekStart); err != nil {
			return last, err
		}
		l.read.Reset(l.file)
		l.offset = max(0, offset-maxLine)
		if l.offset > 0 { // into the middle of a line
			skipped, err := l.read.ReadSlice('\n')
			l.offset += int64(len(skipped))
			if err != nil {
				return last, err
			}
		}
	}
	for l.offset < offset {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return audit.Line{}, nil
		}
		if err != nil {
			return last, err
		}
		last = line.Line
	}
	if l.offset != offset {
		return audit.Line{}, nil
	}
	return last, nil
}
