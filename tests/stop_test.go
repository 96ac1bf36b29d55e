package tests

import (
	"bytes"
	"errors"
	"os"
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
