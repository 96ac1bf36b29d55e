package tests

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestStopLetsTransfersEnd: a server that is told to stop takes no one more,
// but who is in the middle of an upload ends it, and has it.
func TestStopLetsTransfersEnd(t *testing.T) {
	s := serve(t, "--grace", "1m")
	c := s.dial(t)
	want := content(1, 2<<20)
	half := len(want) / 2
	f, err := c.OpenFile("file", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(want[:half]); err != nil {
		t.Fatal(err)
	}

	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	eventually(t, "the server takes no connection more", func() bool {
		late, err := s.connect()
		if err != nil {
			return true
		}
		late.close()
		return false
	})

	_, err = f.Write(want[half:])
	if err := errors.Join(err, f.Close(), c.close()); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if !bytes.Equal(s.get(t, "file"), want) {
		t.Error("the upload that was under way is not whole")
	}
}

// TestStopCutsOffAfterGrace: who takes longer than that is cut off, and the log
// says why.
func TestStopCutsOffAfterGrace(t *testing.T) {
	s := serve(t, "--grace", "100ms")
	c := s.dial(t)
	if _, err := c.OpenFile("file", os.O_WRONLY|os.O_CREATE|os.O_TRUNC); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if log := s.stderr.String(); !strings.Contains(log, `"transfers were cut off" reason="the grace time of 100ms is over"`) {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
