package sftp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// READDIR answers in the columns of ls -l, and with ATTRS that say the same.
func TestReaddir(t *testing.T) {
	c, in, out := serve(t, memory(all()))
	r := raw{t, in, out}
	r.ask(1, cat(3))
	for name, when := range map[string]time.Time{
		"old":    time.Date(2001, 2, 3, 12, 0, 0, 0, time.Local),
		"new":    time.Now().Add(-time.Hour),
		"future": time.Date(2044, 12, 30, 12, 0, 0, 0, time.Local),
	} {
		// WinSCP sends the size it is going to write with OPEN; scp -p sets
		// time and mode by handle, before CLOSE.
		const write, creat, size, mode, times = 2, 8, 1, 4, 8
		_, body := r.ask(3, cat(9, name, write|creat, size, uint64(1<<40)))
		h := string(body[8:])
		r.ask(6, cat(9, h, uint64(0), "12345"))
		r.ask(10, cat(9, h, mode|times, 0o640, int(when.Unix()), int(when.Unix())))
		r.ask(4, cat(9, h))

		_, body = r.ask(17, cat(9, name))
		attrs := cat(size|mode|times, uint64(5), 0o100640, int(when.Unix()), int(when.Unix()))
		if !bytes.Equal(body, append(cat(9), attrs...)) {
			t.Errorf("STAT of %s: %q", name, body)
		}
		day := map[string]string{"old": "Feb  3  2001", "new": when.Format("Jan _2 15:04"), "future": "Dec 30  2044"}[name]
		long := fmt.Sprintf("-rw-r-----    1 shelf    shelf           5 %s %s", day, name)
		_, body = r.ask(11, cat(9, "/"))
		h = string(body[8:])
		kind, body := r.ask(12, cat(9, h))
		if want := append(cat(9, 1, name, long), attrs...); kind != 104 || !bytes.Equal(body, want) {
			t.Errorf("READDIR: %d\n%q, want\n%q", kind, body, want)
		}
		if kind, body = r.ask(12, cat(9, h)); kind != 101 || binary.BigEndian.Uint32(body[4:]) != 1 {
			t.Errorf("at the end: %d %q", kind, body)
		}
		r.ask(4, cat(9, h))
		r.ask(13, cat(9, name))
	}
	if kind, body := r.ask(12, cat(9, "77")); kind != 101 || binary.BigEndian.Uint32(body[4:]) != 4 {
		t.Errorf("READDIR of no handle: %d %q", kind, body)
	}
	_, body := r.ask(3, cat(9, "file", 2|8, 0))
	if kind, body := r.ask(12, cat(9, string(body[8:]))); kind != 101 || !strings.Contains(string(body), "not an open folder") {
		t.Errorf("READDIR of a file: %d %q", kind, body)
	}
	c.end()
}
