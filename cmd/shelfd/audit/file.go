package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Check tells whether the file of a log could be opened. It makes none.
func Check(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		return f.Close()
	}
	if errors.Is(err, fs.ErrNotExist) && unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK) == nil {
		return nil
	}
	return err
}

// Open opens a log, to go on where it ends. A part of a line at its end, which a
// crash has left, is cut off.
func Open(o Options) (*Log, error) {
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	l := &Log{o: o, rules: o.Rules, started: rand.Text()[:12]}
	l.seq, l.chain.prev = lastLine(o.Path)
	var err error
	if l.folder, err = os.Open(filepath.Dir(o.Path)); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if err := l.open(); err != nil {
		l.folder.Close()
		return nil, err
	}
	l.file.mend()
	l.old = oldFiles(o.Path)
	return l, nil
}

// idOf is an id that no other line has, in this log or another.
func (l *Log) idOf(seq uint64) string { return l.started + "-" + strconv.FormatUint(seq, 10) }

// Reopen goes on in the file that has the path now: the old one may have been
// renamed. On an error it goes on in the old file.
func (l *Log) Reopen() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoint()
	return l.open()
}

// open opens the file of the path instead of the one that is open, which is
// synced for those who wait for that. On an error it goes on in that one. mu is held, but in Open.
func (l *Log) open() error {
	f, err := os.OpenFile(l.o.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, l.rules.Mode)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = errors.Join(f.Chmod(l.rules.Mode), l.folder.Sync()) // the mode whatever the umask is
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("audit log: %w", err)
	}
	was := l.file
	l.file = file{File: f, size: info.Size(), torn: info.Size() > 0}
	if was.File == nil {
		return nil
	}
	if before, err := was.Stat(); err == nil && os.SameFile(before, info) {
		l.file.torn = was.torn
	}
	if err := was.Sync(); err != nil {
		l.unsynced(l.seq, err)
	}
	was.Close()
	return nil
}

// Close ends the log.
func (l *Log) Close() {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.checkpoint()
		l.chain.stop()
		l.file.Sync()
		l.file.Close()
		l.folder.Close()
	}
}

// file grows by whole lines.
type file struct {
	*os.File
	size int64 // bytes
	torn bool  // it may end in a part of a line
}

// add writes a line with one write. If it is not written whole, it is cut off; if
// that fails too, the next one begins on a line of its own.
func (f *file) add(line []byte) error {
	if f.torn {
		line = append([]byte("\n"), line...)
	}
	n, err := f.Write(line)
	f.size += int64(n)
	if err == nil {
		f.torn = false
		return nil
	}
	if n > 0 {
		f.cut(int64(n))
	}
	return err
}

// cut takes n bytes off the end.
func (f *file) cut(n int64) {
	info, err := f.Stat() // another program may write to it, too
	if err == nil {
		err = f.Truncate(info.Size() - n)
	}
	if err != nil {
		f.torn = true
		return
	}
	f.size = info.Size() - n
}

// mend cuts off the part of a line that a crash has left.
func (f *file) mend() {
	end, err := tail(f.Name())
	switch {
	case err != nil: // not to be read: it stays torn
	case len(end.torn) > 0:
		f.torn = false
		f.cut(int64(len(end.torn)))
	default:
		f.torn = false
	}
}
