package sshd

import (
	"errors"
	"fmt"
	"io"
	"path"

	"shelf/vfs"
	"shelf/vfs/access"
)

// send serves `scp -f`: all files that the names stand for, in order.
func (c *scpConn) send() error {
	if ok, err := c.answer(); !ok {
		return errors.Join(err, errPeerGaveUp)
	}
	for _, w := range c.options.names {
		names, err := c.names(w)
		if err != nil {
			if err := c.tell(scpError, w.text, err); err != nil {
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

// sendFile sends one file, or tells why not; the error ends the conversation.
func (c *scpConn) sendFile(name string) error {
	if access.IsRoot(name) {
		return c.tell(scpError, name, errors.New("the library has no folders; ask for names, or for *"))
	}
	r, err := c.access.Open(name)
	if err != nil {
		return c.tell(scpError, name, err)
	}
	why := errors.New("the transfer broke off")
	defer func() { r.Close(why) }()
	i, err := r.Stat()
	if err != nil {
		return c.tell(scpError, name, err)
	}
	ok, err := c.announce(name, i)
	if ok && err == nil {
		ok, err = c.sendContent(r, i.Size)
	}
	if ok && err == nil {
		why = nil
	}
	return err
}

// announce sends the records that come before the content; ok tells whether the
// sink wants it.
func (c *scpConn) announce(name string, i vfs.Info) (ok bool, err error) {
	if c.options.preserve {
		mtime := max(0, i.ModTime.Unix()) // clients know no time before 1970
		if ok, err := c.record("T%d 0 %d 0\n", mtime, mtime); !ok || err != nil {
			return false, err
		}
	}
	return c.record("C%04o %d %s\n", i.Mode.Perm(), i.Size, path.Base(name))
}

func (c *scpConn) record(format string, args ...any) (ok bool, err error) {
	if _, err := fmt.Fprintf(c.channel, format, args...); err != nil {
		return false, err
	}
	return c.answer()
}

// sendContent sends size bytes. When the file cannot be read to its end, zeros
// stand for the rest, as the sink counts, and the message after it says so.
func (c *scpConn) sendContent(r io.ReaderAt, size int64) (ok bool, err error) {
	var failed error
	for off := int64(0); off < size; {
		p := c.buffer[:min(size-off, scpChunk)]
		if failed == nil {
			var n int
			if n, failed = r.ReadAt(p, off); n == len(p) {
				failed = nil
			} else {
				clear(p[n:])
			}
		} else {
			clear(p)
		}
		if _, err := c.channel.Write(p); err != nil {
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
