package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"shelf/vfs"
	"shelf/vfs/access"
)

// receive is `scp -t`. It takes records until the client sends no more.
func (c *scpConn) receive() error {
	target := c.flags.names[0].text
	if !c.Access.IsFolder(target) && (c.flags.folder || strings.HasSuffix(target, "/")) {
		return fmt.Errorf("%s is not a folder; the library has no folders", vfs.Printable(target))
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
			times, err = c.record(line, times)
		}
		if err != nil {
			return err
		}
	}
}

// record handles one record. A T record has the times of the file that comes
// next: record returns them, and is given them with the next record.
func (c *scpConn) record(line string, times *scpTimes) (next *scpTimes, err error) {
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
		return nil, c.refuseFolder()
	case scpError:
		c.failed = true // the client could not read a file, and has told its user
		return nil, nil
	case scpFatal:
		return nil, errClientGaveUp
	}
	return nil, errScpRecord
}

// scpTimes are the times of a T record.
type scpTimes struct{ mtime, atime time.Time }

// parseScpTimes parses "mtime usec atime usec", in seconds since 1970. Times are
// limited to what SFTP can say: whole seconds in 32 bits.
func parseScpTimes(s string) (*scpTimes, error) {
	fields := strings.Split(s, " ")
	if len(fields) != 4 {
		return nil, fmt.Errorf("%w: a T record has %d numbers instead of 4", errScp, len(fields))
	}
	var n [4]uint64
	for i, field := range fields {
		var err error
		if n[i], err = strconv.ParseUint(field, 10, 32); err != nil || i%2 == 1 && n[i] > 999999 {
			return nil, fmt.Errorf("%w: a T record has an invalid time", errScp)
		}
	}
	return &scpTimes{time.Unix(int64(n[0]), 0), time.Unix(int64(n[2]), 0)}, nil
}

// parseScpFile parses "mode size name". It refuses names that would lead out of
// the target, as CVE-2019-6111 did on the other side.
func parseScpFile(s string) (mode fs.FileMode, size int64, name string, err error) {
	octal, rest, _ := strings.Cut(s, " ")
	decimal, name, ok := strings.Cut(rest, " ")
	bits, err1 := strconv.ParseUint(octal, 8, 12)
	length, err2 := strconv.ParseUint(decimal, 10, 63)
	if !ok || len(octal) != 4 || err1 != nil || err2 != nil {
		return 0, 0, "", fmt.Errorf("%w: a C record is not a mode, a size and a name", errScp)
	}
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return 0, 0, "", fmt.Errorf("%w: a C record has an invalid name", errScp)
	}
	return fs.FileMode(bits), int64(length), name, nil
}

// receiveFile takes the file of a C record, or tells the client why not. An
// error ends the transfer.
func (c *scpConn) receiveFile(record string, times *scpTimes) error {
	mode, size, name, err := parseScpFile(record)
	if err != nil {
		return err
	}
	target := c.flags.names[0].text
	if c.Access.IsFolder(target) {
		target = path.Join(target, name)
	}
	name = target
	w, err := c.Access.Create(name, access.Replace(mode))
	if err != nil {
		return c.tell(scpError, name, err)
	}
	defer w.Cut() // does nothing after Commit or Abandon
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

// attributes are the attributes of the new file. They include the size, so that
// a file which is too large is refused before its content is sent.
func (c *scpConn) attributes(mode fs.FileMode, size int64, times *scpTimes) vfs.Attr {
	a := vfs.Attr{HasSize: true, Size: size}
	if c.flags.preserve {
		a.HasMode, a.Mode = true, mode
	}
	if times != nil {
		a.HasTimes, a.Mtime, a.Atime = true, times.mtime, times.atime
	}
	return a
}

// receiveContent reads size bytes and writes them to the file. After a write has
// failed it goes on reading, because the client sends all bytes before it reads
// the answer. That failure is failed; err ends the transfer.
func (c *scpConn) receiveContent(w io.WriterAt, size int64) (failed, err error) {
	for off := int64(0); off < size; {
		n, err := c.in.Read(c.buffer[:min(size-off, scpChunk)])
		if n > 0 && failed == nil {
			_, failed = w.WriteAt(c.buffer[:n], off)
		}
		off += int64(n)
		if err != nil && off < size {
			return failed, fmt.Errorf("the content ends too early: %w", err)
		}
	}
	return failed, nil
}

// verdict reads whether the client could read all of its file. What is written
// with libssh2, such as curl and PHP's ssh2_scp_send, never says so: it ends the
// channel after the last byte and tells its user that all is well. To lose the
// connection there is something else.
func (c *scpConn) verdict() (ok bool, err error) {
	if _, err := c.in.Peek(1); err == io.EOF && c.Lost != nil && !c.Lost() {
		return true, nil
	}
	return c.answer()
}

// finish publishes the file, if the client could read all of it and the server
// could write all of it.
func (c *scpConn) finish(w *access.Writer, name string, failed error) error {
	ok, err := c.verdict()
	defer c.Access.Answer()()
	switch {
	case errors.Is(err, errScp), errors.Is(err, errClientGaveUp):
		w.Abandon("the client did not send what it announced")
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
