package sshd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/sftp"

	"shelf/vfs"
)

// TestFailuresAreReportedWithAnEnd has a client fail over and over. Its logout tells
// how many are left out, and what it did in between has its line.
func TestFailuresAreReportedWithAnEnd(t *testing.T) {
	s := serve(t, nil)
	client := s.dial(t)
	c, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	const tries, done = 3000, 30
	for n := range tries {
		c.PosixRename("not-there", "new")
		if n%(tries/done) == 0 {
			f, err := c.Create(fmt.Sprint("file", n))
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	client.Close()
	out := s.events.await(t, OpLogout)
	failed, put := 0, 0
	for _, e := range s.events.all {
		switch {
		case e.Err != nil:
			failed++
		case e.Op == "put":
			put++
		}
	}
	if put != done {
		t.Errorf("%d of %d uploads are reported", put, done)
	}
	if failed > failuresAtFirst+100*failuresPerSecond || failed+out.Omitted != tries {
		t.Errorf("of %d failures %d are reported, and %d counted", tries, failed, out.Omitted)
	}
}

// TestReasonsOfEventsAreBounded has a refusal repeat what the client sent.
func TestReasonsOfEventsAreBounded(t *testing.T) {
	long := Event{Err: &vfs.Error{Kind: vfs.ErrName, Why: strings.Repeat("x", 1<<20)}}
	e := long.clipped()
	if n := len(e.Err.Error()); n > 2*maxReason || e.Result() != long.Result() {
		t.Errorf("the reason has %d bytes, the result is %q", n, e.Result())
	}
}
