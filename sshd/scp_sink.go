package sshd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
)

// receive serves `scp -t`: records until the source ends.
func (c *scpConn) receive() error {
	target := c.options.names[0].text
	if c.options.folder && !access.IsRoot(target) || !access.IsRoot(target) && strings.HasSuffix(target, "/") {
		return fmt.Errorf("%s is no folder; the library has none", vfs.Printable(target))
	}
	if err := c.accept(); err != nil {
		return err
	}
	var times *scpTimes
	for {
		line, err := c.line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			times, err = c.control(line, times)
		}
		if err != nil {
			return err
		}
	}
}

// control does what a record says; times are those of the file to come.
func (c *scpConn) control(line string, times *scpTimes) (next *scpTimes, err error) {
	kind, rest := byte(0), ""
	if line != "" {
		kind, rest = line[0], line[1:]
	}
	switch kind {
	case 'T':
		if next, err = parseScpTimes(rest); err != nil {
			return nil, err
		}
		return next, c.accept()
	case 'C':
		return nil, c.receiveFile(rest, times)
	case 'D':
		return nil, c.tell(scpError, "", errors.New("the library has no folders; copy the files in it"))
	case scpError:
		c.failed = true // of a file that the source could not read, as the person there knows
		return nil, nil
	case scpFatal:
		return nil, errPeerGaveUp
	}
	return nil, fmt.Errorf("%w: a record is none of C, D and T", errScp)
}

// scpTimes is a T record: seconds since 1970.
type scpTimes struct{ mtime, atime time.Time }

// parseScpTimes reads "mtime usec atime usec". SFTP's range is the library's:
// times are whole seconds in 32 bits.
func parseScpTimes(s string) (*scpTimes, error) {
	fields := strings.Split(s, " ")
	if len(fields) != 4 {
		return nil, fmt.Errorf("%w: a T record has %d numbers, not 4", errScp, len(fields))
	}
	var n [4]uint64
	for i, field := range fields {
		var err error
		if n[i], err = strconv.ParseUint(field, 10, 32); err != nil || i%2 == 1 && n[i] > 999999 {
			return nil, fmt.Errorf("%w: a T record has a time that is none", errScp)
		}
	}
	return &scpTimes{time.Unix(int64(n[0]), 0), time.Unix(int64(n[2]), 0)}, nil
}

// parseScpFile reads "mode size name".
func parseScpFile(s string) (mode fs.FileMode, size int64, name string, err error) {
	octal, rest, _ := strings.Cut(s, " ")
	decimal, name, ok := strings.Cut(rest, " ")
	bits, err1 := strconv.ParseUint(octal, 8, 12)
	length, err2 := strconv.ParseUint(decimal, 10, 63)
	if !ok || len(octal) != 4 || err1 != nil || err2 != nil {
		return 0, 0, "", fmt.Errorf("%w: a C record is not a mode, a size and a name", errScp)
	}
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return 0, 0, "", fmt.Errorf("%w: a C record has a name that is none", errScp)
	}
	return fs.FileMode(bits), int64(length), name, nil
}

// receiveFile takes the file of a C record, or tells why not; the error ends the
// conversation.
func (c *scpConn) receiveFile(record string, times *scpTimes) error {
	mode, size, name, err := parseScpFile(record)
	if err != nil {
		return err
	}
	if target := c.options.names[0].text; !access.IsRoot(target) {
		name = target
	}
	w, err := c.access.Create(name, access.Replace(mode))
	if err != nil {
		return c.tell(scpError, name, err)
	}
	defer w.Cut() // unless it has ended
	if err := w.SetAttr(c.attributes(mode, size, times)); err != nil {
		w.Abandon("")
		return c.tell(scpError, name, err)
	}
	if err := c.accept(); err != nil {
		return err
	}
	failed, err := c.receiveContent(w, size)
	if err != nil {
		return err
	}
	return c.finish(w, name, failed)
}

// attributes are what the file will have. The size comes first of all, so that
// what there is no room for is refused before it is sent.
func (c *scpConn) attributes(mode fs.FileMode, size int64, times *scpTimes) vfs.Attr {
	a := vfs.Attr{HasSize: true, Size: size}
	if c.options.preserve {
		a.HasMode, a.Mode = true, mode
	}
	if times != nil {
		a.HasTimes, a.Mtime, a.Atime = true, times.mtime, times.atime
	}
	return a
}

// receiveContent takes size bytes, also those that cannot be written, which
// failed tells: the source sends them all before it listens again.
func (c *scpConn) receiveContent(w *access.Writer, size int64) (failed, err error) {
	for off := int64(0); off < size; {
		n, err := c.in.Read(c.buffer[:min(size-off, scpChunk)])
		if n > 0 && failed == nil {
			_, failed = w.WriteAt(c.buffer[:n], off)
		}
		off += int64(n)
		if err != nil && off < size {
			return failed, fmt.Errorf("the content ends early: %w", err)
		}
	}
	return failed, nil
}

// finish publishes the file if both ends have found it whole.
func (c *scpConn) finish(w *access.Writer, name string, failed error) error {
	ok, err := c.answer()
	switch {
	case errors.Is(err, errScp), errors.Is(err, errPeerGaveUp):
		w.Abandon("the client's data is not what it announced")
		return err
	case err != nil:
		return err
	case !ok:
		w.Abandon("the client could not read its file to the end")
		return c.accept()
	case failed != nil:
		w.Abandon("")
		return c.tell(scpError, name, failed)
	}
	if err := w.Commit(); err != nil {
		return c.tell(scpError, name, err)
	}
	return c.accept()
}
