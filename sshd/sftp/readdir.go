package sftp

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"shelf/sshd/budget"
	"shelf/vfs"
)

// readdirBatch is how many names a READDIR is answered with: with the longest
// names they still fit into a packet.
const readdirBatch = 128

// readdir answers READDIR: handle.
func (s *Session) readdir(f *frame, r *reply) {
	h, _, err := s.handleOf(f.body, 0)
	if err == nil && h.list == nil {
		err = &vfs.Error{Kind: vfs.ErrBadHandle, Why: "that handle is not an open folder"}
	}
	var files [readdirBatch]vfs.Info
	n, most := 0, readdirBatch
	if s.o.Share.Take(budget.Memory, largeBuffer) == nil {
		r.taken = largeBuffer
	} else {
		most = readdirBatch / 4 // these fit into a piece
	}
	if err == nil {
		n, err = h.list.Next(files[:most])
	}
	if err != nil && (err != io.EOF || n == 0) {
		r.status(f.id, s.h.reasons.status("list", "", err))
		return
	}
	r.names(f.id, files[:n], time.Now())
}

// names is SSH_FXP_NAME: uint32 count, and for each file its name, a line as
// of ls -l, and ATTRS.
func (r *reply) names(id uint32, files []vfs.Info, now time.Time) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(files)))
	for _, i := range files {
		b = appendString(appendString(b, i.Name), longname(i, now))
		b = appendAttrs(b, i)
	}
	copy(r.start(fxpName, id, len(b)), b)
}

// owner is whom a long listing shows. Who owns the files on the host is not the
// clients' business.
const owner = "shelf"

// longname is a file as OpenSSH's server and ls -l show it: day and time, or
// the year of what is older than half a year or of the future. Some clients
// show it as it is, some read it by its columns.
func longname(i vfs.Info, now time.Time) string {
	when := "Jan _2 15:04"
	if t := i.ModTime; t.After(now) || t.Before(now.AddDate(0, -6, 0)) {
		when = "Jan _2  2006"
	}
	return fmt.Sprintf("%s %4d %-8s %-8s %8d %s %s", i.Mode, 1, owner, owner, i.Size, i.ModTime.Format(when), i.Name)
}
