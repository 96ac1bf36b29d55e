package command

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path"

	"shelf/vfs"
)

// send is `scp -f`. It sends the files that the arguments name, in order.
func (c *scpConn) send() error {
	if ok, err := c.answer(); !ok {
		return errors.Join(err, errClientGaveUp)
	}
	for _, a := range c.flags.names {
		names, err := c.expand(a)
		if err != nil {
			if err := c.tell(scpError, a.text, err); err != nil {
				return err
			}
		}
		for _, name := range names {
			if err := c.sendFile(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendFile sends one file, or tells the client why not. An error ends the
// transfer.
func (c *scpConn) sendFile(name string) error {
	if c.Access.IsFolder(name) {
		return c.tell(scpError, name, errors.New("that is no file; name files in it, or use *"))
	}
	r, err := c.Access.Open(name)
	if err != nil {
		return c.tell(scpError, name, err)
	}
	result := errors.New("the transfer was interrupted")
	defer func() { r.Close(result) }()
	info, err := r.Stat()
	if err != nil {
		return c.tell(scpError, name, err)
	}
	ok, err := c.announce(name, info)
	if ok && err == nil {
		ok, err = c.sendContent(r, info.Size)
	}
	if ok && err == nil {
		result = nil
	}
	return err
}

// announce sends the records that come before the content. It is ok if the
// client wants the file.
func (c *scpConn) announce(name string, info vfs.Info) (ok bool, err error) {
	if c.flags.preserve {
		mtime := max(0, min(info.ModTime.Unix(), math.MaxUint32)) // what clients accept, and SFTP can say
		if ok, err := c.sendRecord("T%d 0 %d 0\n", mtime, mtime); !ok || err != nil {
			return false, err
		}
	}
	return c.sendRecord("C%04o %d %s\n", info.Mode.Perm(), info.Size, path.Base(name))
}

// sendRecord sends a record and reads the answer.
func (c *scpConn) sendRecord(format string, args ...any) (ok bool, err error) {
	if _, err := fmt.Fprintf(c.Channel, format, args...); err != nil {
		return false, err
	}
	return c.answer()
}

// sendContent sends size bytes. The client counts them, so if the file can't be
// read to the end, zeros are sent for the rest, and then an error message.
func (c *scpConn) sendContent(r io.ReaderAt, size int64) (ok bool, err error) {
	var failed error
	for off := int64(0); off < size; {
		p := c.buffer[:min(size-off, scpChunk)]
		n := 0
		if failed == nil {
			n, failed = r.ReadAt(p, off)
		}
		if n == len(p) {
			failed = nil // ReadAt may return io.EOF with the last bytes
		}
		clear(p[n:])
		if _, err := c.Channel.Write(p); err != nil {
			return false, err
		}
		off += int64(len(p))
	}
	if failed != nil {
		err = c.tell(scpError, "", errors.New("the server's disk failed"))
	} else {
		err = c.accept()
	}
	if err != nil {
		return false, err
	}
	ok, err = c.answer()
	return ok && failed == nil, err
}
