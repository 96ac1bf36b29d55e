package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestReplacedWhileRead: who has begun to read a file reads that version to
// its end, whoever puts another one over it.
func TestReplacedWhileRead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	old, new := content(1, 4<<20), content(2, 3<<20)
	s.put(t, "file", old)
	reader, writer := s.dial(t), s.dial(t)

	f, err := reader.Open("file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, len(old))
	half := len(old) / 2
	if _, err := io.ReadFull(f, got[:half]); err != nil {
		t.Fatal(err)
	}
	if err := writer.upload("file", new); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.get(t, "file"), new) {
		t.Fatal("the new content is not there")
	}
	if _, err := io.ReadFull(f, got[half:]); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, old) {
		t.Error("the reader did not get the old content whole")
	}
	if now, err := reader.download("file"); err != nil || !bytes.Equal(now, new) {
		t.Errorf("a reader that comes later does not get the new content (error: %v)", err)
	}
}

// cutAfter is how much of an upload arrives before it is cut short: less than
// is worth keeping for the client to resume.
const cutAfter = 512 << 10 // bytes

// TestConnectionLostDuringUpload: an upload that is not closed is not there.
func TestConnectionLostDuringUpload(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"fin", "reset"} {
		for _, old := range [][]byte{nil, content(1, 1<<20)} {
			t.Run(fmt.Sprintf("%s over %d bytes", how, len(old)), func(t *testing.T) {
				s := serve(t)
				s.setOld(t, old)
				c := s.dial(t)
				c.uploadPart(t)
				s.mustHave(t, old)
				c.cut(how == "reset")
				s.mustForget(t, old)
			})
		}
	}
}

// TestClientKilledDuringUpload is the same with a stock client, slowed down so
// that it is killed midway.
func TestClientKilledDuringUpload(t *testing.T) {
	need(t, "sftp")
	t.Parallel()
	for _, old := range [][]byte{nil, content(1, 1<<20)} {
		t.Run(fmt.Sprintf("over %d bytes", len(old)), func(t *testing.T) {
			s := serve(t)
			s.setOld(t, old)
			source := filepath.Join(t.TempDir(), "source")
			writeRandom(t, source, 64<<20)

			cmd := sftpBatch(s, fmt.Sprintf("put %q file\n", source))
			cmd.Args = append(cmd.Args[:1], append([]string{"-l", "2000"}, cmd.Args[1:]...)...) // Kbit/s
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the upload has begun", func() bool { return s.staged(t) > 0 })
			cmd.Process.Kill()
			cmd.Wait()
			s.mustForget(t, old)
		})
	}
}

// setOld has the library hold "file" with this content, or no such file.
func (s *server) setOld(t *testing.T, old []byte) {
	if old != nil {
		s.put(t, "file", old)
	}
}

// mustHave fails the test unless "file" is as setOld made it.
func (s *server) mustHave(t *testing.T, old []byte) {
	t.Helper()
	now, err := os.ReadFile(filepath.Join(s.library, "file"))
	switch {
	case old == nil && !errors.Is(err, fs.ErrNotExist):
		t.Errorf("the name is there, with %d bytes (error: %v)", len(now), err)
	case old != nil && !bytes.Equal(now, old):
		t.Errorf("the old content is not whole (error: %v)", err)
	}
}

// mustForget waits until nothing is left of an upload that was cut short, and
// looks whether "file" is as it was.
func (s *server) mustForget(t *testing.T, old []byte) {
	t.Helper()
	eventually(t, "the stage is gone", func() bool { return len(s.stages(t)) == 0 })
	s.mustHave(t, old)
}

// uploadPart writes the beginning of "file" and leaves it open.
func (c *client) uploadPart(t *testing.T) {
	t.Helper()
	f, err := c.OpenFile("file", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content(3, cutAfter)); err != nil {
		t.Fatal(err)
	}
}

// staged is how many bytes of uploads the server has written down.
func (s *server) staged(t *testing.T) int64 {
	var n int64
	for _, e := range s.stages(t) {
		if i, err := e.Info(); err == nil {
			n += i.Size()
		}
	}
	return n
}
