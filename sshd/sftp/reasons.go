package sftp

import (
	"io"

	"shelf/vfs"
)

// maxReasons bounds what a session writes to stderr, in bytes: it shares the
// channel's window with the replies, and some clients never read it.
const maxReasons = 16 << 10

// reasons writes the reasons of refusals for the person at the client. It has a
// channel of its own because OpenSSH's sftp prints only the code of a STATUS.
type reasons struct {
	w    io.Writer
	sent int
}

// status is what a STATUS says of err. The reason goes to stderr as well; that
// there is no such file does not, since every client shows that.
func (r *reasons) status(op, name string, err error) status {
	s := statusOf(err)
	switch s.code {
	case fxOK, fxEOF, fxNoSuchFile:
	default:
		r.say(op, name, s.text)
	}
	return s
}

// say writes one line, such as: rm "a": this account may not delete files
func (r *reasons) say(op, name, why string) {
	line := op + ": " + why
	if name != "" {
		line = op + " " + vfs.Printable(name) + ": " + why
	}
	if r.w == nil || r.sent > maxReasons {
		return
	}
	if r.sent += len(line); r.sent > maxReasons {
		line = "further reasons are left out"
	}
	io.WriteString(r.w, line+"\n")
}
