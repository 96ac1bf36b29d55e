package tail_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelf/cmd/shelfd/deliver/tail"
)

// world is an audit log, and who reads it.
type world struct {
	*testing.T
	path  string
	seq   int
	run   string        // what ids begin with
	later time.Duration // of the times of lines
	log   *tail.Log
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, path: filepath.Join(t.TempDir(), "audit"), run: "A"}
	w.log = tail.Open(w.path, tail.Place{})
	t.Cleanup(func() { w.log.Close() })
	return w
}

// line is the next line of the log.
func (w *world) line() string {
	w.seq++
	at := time.Date(2026, 1, 1, 0, 0, w.seq, 0, time.UTC).Add(w.later)
	return fmt.Sprintf(`{"time":"%s","seq":%d,"id":"%s-%d","host":"h","op":"put","result":"ok","name":"f"}`+"\n", at.Format(time.RFC3339), w.seq, w.run, w.seq)
}

// write adds lines to a file.
func (w *world) write(path string, n int) {
	w.Helper()
	for range n {
		w.add(path, w.line())
	}
}

func (w *world) add(path, text string) {
	w.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// read reads all that there is now, and compares it: ids, with what is to be told of
// before them.
func (w *world) read(want string) {
	w.Helper()
	var got []string
	for {
		line, err := w.log.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		w.do(err)
		word := line.ID
		if line.Missed > 0 {
			word = fmt.Sprintf("missed:%d %s", line.Missed, word)
		}
		if line.Anew {
			word = "anew " + word
		}
		got = append(got, word)
	}
	if all := strings.Join(got, " "); all != want {
		w.Errorf("read %q, want %q", all, want)
	}
}

// restart has another process go on from the place.
func (w *world) restart() {
	w.log.Close()
	w.log = tail.Open(w.path, w.log.Place())
}

func TestFollows(t *testing.T) {
	w := newWorld(t)
	w.read("") // there is no file yet
	w.write(w.path, 2)
	w.read("A-1 A-2")
	w.write(w.path, 1)
	w.restart()
	w.read("A-3")
	w.read("")
}

// A file is renamed, and the server goes on to write to it until it is told.
func TestRenamedAndWrittenTo(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 1)
	w.read("A-1")
	w.do(os.Rename(w.path, w.path+".1"))
	w.write(w.path+".1", 1)
	w.read("A-2")
	w.add(w.path, "") // logrotate makes an empty one
	w.write(w.path+".1", 1)
	w.read("A-3")
	w.write(w.path+".1", 1)
	w.write(w.path, 1)
	w.read("A-4 A-5")
}

// Several rotations while nobody reads, with the oldest files packed.
func TestRotatedWhileAway(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 2)
	w.read("A-1 A-2")
	w.write(w.path, 1)
	w.do(os.Rename(w.path, w.path+".3"))
	w.write(w.path+".2", 2)
	w.write(w.path+".1", 2)
	w.write(w.path, 1)
	w.pack(w.path + ".3")
	w.half(w.path + ".2") // as long as it is being packed both are there
	w.restart()
	w.read("A-3 A-4 A-5 A-6 A-7 A-8")
	// And with no younger file that has the path.
	w.write(w.path, 1)
	w.do(os.Rename(w.path, w.path+".0"))
	w.read("A-9")
	w.write(w.path, 1)
	w.read("A-10")
}

// A file that was renamed and has not been read to its end, while the one that has the
// path has no line yet.
func TestReadsOnToEmpty(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 1)
	w.read("A-1")
	w.write(w.path, 1)
	w.do(os.Rename(w.path, w.path+".2"))
	w.write(w.path+".1", 1)
	w.add(w.path, "")
	w.restart()
	w.read("A-2 A-3")
}

// half packs a file, and is not done yet.
func (w *world) half(path string) {
	w.Helper()
	text, err := os.ReadFile(path)
	w.do(err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	first, _, _ := bytes.Cut(text, []byte("\n"))
	_, err = z.Write(append(first, '\n'))
	w.do(errors.Join(err, z.Flush(), os.WriteFile(path+".gz", packed.Bytes(), 0o600)))
}

func (w *world) pack(path string) {
	w.Helper()
	text, err := os.ReadFile(path)
	w.do(err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(text)
	w.do(errors.Join(err, z.Close(), os.WriteFile(path+".gz", packed.Bytes(), 0o600), os.Remove(path)))
}

// The place is in a file that was packed meanwhile.
func TestPlaceInPackedFile(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 3)
	for range 2 {
		if _, err := w.log.Next(); err != nil {
			t.Fatal(err)
		}
	}
	w.do(os.Rename(w.path, w.path+".1"))
	w.pack(w.path + ".1")
	w.write(w.path, 1)
	w.restart()
	w.read("A-3 A-4")
}

// logrotate's copytruncate: the file is copied and cut.
func TestCopiedAndCut(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 2)
	w.read("A-1 A-2")
	w.write(w.path, 1)
	text, err := os.ReadFile(w.path)
	w.do(errors.Join(err, os.WriteFile(w.path+".1", text, 0o600), os.Truncate(w.path, 0)))
	w.read("A-3")
	w.write(w.path, 1)
	w.read("A-4")
}

// What a crash leaves of a line is cut off by the server, and another line is written
// in its place; it is never taken for the beginning of that one.
func TestTornLine(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 1)
	w.add(w.path, `{"time":"2026-01-`)
	w.read("A-1")
	info, err := os.Stat(w.path)
	w.do(errors.Join(err, os.Truncate(w.path, info.Size()-int64(len(`{"time":"2026-01-`)))))
	w.write(w.path, 1)
	w.read("A-2")
	w.add(w.path, "not ours\n\n"+strings.Repeat("x", 300000)+"\n{\"op\":1}\n")
	w.write(w.path, 1)
	w.restart()
	w.read("A-3")
}

// A power cut has taken lines that were read already. The numbers of those that the
// server writes next are theirs.
func TestPowerCut(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 4)
	w.read("A-1 A-2 A-3 A-4")
	text, err := os.ReadFile(w.path)
	w.do(errors.Join(err, os.Truncate(w.path, int64(len(text)/2))))
	w.seq, w.run = 2, "B"
	w.write(w.path, 3)
	w.restart()
	w.read("anew B-3 B-4 B-5")
}

// The files that had the next lines are gone.
func TestMissed(t *testing.T) {
	w := newWorld(t)
	w.write(w.path, 2)
	w.read("A-1 A-2")
	w.seq += 5
	w.write(w.path+".new", 1)
	w.do(errors.Join(os.Remove(w.path), os.Rename(w.path+".new", w.path)))
	w.restart()
	w.read("missed:5 A-8")
	w.do(os.Remove(w.path))
	w.seq++
	w.write(w.path, 1)
	w.read("missed:1 A-10")
}

// Another log has taken its place: all of it is new.
func TestReplaced(t *testing.T) {
	for _, again := range []bool{false, true} {
		w := newWorld(t)
		w.write(w.path, 2)
		w.read("A-1 A-2")
		w.do(os.Remove(w.path))
		w.run = "B"
		second := w.line()
		w.add(w.path, strings.ReplaceAll(second, "3", "1"))
		if again {
			w.restart()
		}
		w.read("anew B-1")
	}
	// Rotated already before anybody has read of it.
	w := newWorld(t)
	w.write(w.path, 9)
	w.read("A-1 A-2 A-3 A-4 A-5 A-6 A-7 A-8 A-9")
	w.do(os.Remove(w.path))
	w.run, w.seq, w.later = "B", 0, time.Hour
	w.write(w.path+".1", 2)
	w.write(w.path, 1)
	w.restart()
	w.read("anew B-1 B-2 B-3")
}

// The file that has the path is the youngest, whatever the clock said.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	w.later = time.Hour
	w.write(w.path, 1)
	w.read("A-1")
	w.do(os.Rename(w.path, w.path+".1"))
	w.later = 0
	w.write(w.path, 1)
	w.read("A-2")
	w.restart()
	w.write(w.path, 1)
	w.read("A-3")
	end, err := tail.End(w.path)
	if err != nil || end.ID != "A-3" {
		t.Errorf("%+v %v", end, err)
	}
}

// Without its file and offset, the place is found by its line.
func TestPlaceByLineAlone(t *testing.T) {
	w := newWorld(t)
	w.write(w.path+".1", 2)
	w.write(w.path, 3)
	w.log = tail.Open(w.path, tail.Place{ID: "A-3", Seq: 3, Time: time.Date(2026, 1, 1, 0, 0, 3, 0, time.UTC), File: "A-3", Offset: 7})
	w.read("A-4 A-5")
	w.log.Close()
	w.log = tail.Open(w.path, tail.Place{ID: "A-1", Seq: 1})
	w.read("A-2 A-3 A-4 A-5")
}

// Nothing is missed of a log that is rotated all the while, in each of the ways.
func TestRotatedWhileRead(t *testing.T) {
	w := newWorld(t)
	const all = 1500
	written := make(chan error)
	go func() {
		f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		for i := range all {
			if err == nil {
				_, err = f.WriteString(w.line())
			}
			if err == nil && i%5 == 4 {
				err = os.Rename(w.path, fmt.Sprintf("%s.%04d", w.path, i))
				if err == nil && i%2 == 0 {
					err = os.WriteFile(w.path, nil, 0o600)
				}
				if err == nil {
					_, err = f.WriteString(w.line()) // the server was not told yet
				}
				f.Close()
				if err == nil {
					f, err = os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
				}
			}
		}
		written <- err
	}()
	seq := uint64(0)
	for done := false; ; {
		line, err := w.log.Next()
		if errors.Is(err, io.EOF) {
			if done {
				break
			}
			select {
			case err := <-written:
				w.do(err)
				done = true
			default:
			}
			continue
		}
		w.do(err)
		if seq++; line.Seq != seq || line.Missed > 0 || line.Anew {
			t.Fatalf("after %d it is %d (missed %d, anew %v)", seq-1, line.Seq, line.Missed, line.Anew)
		}
	}
	if seq != all+all/5 {
		t.Errorf("%d lines were read", seq)
	}
}

func TestEndAndBefore(t *testing.T) {
	w := newWorld(t)
	w.write(w.path+".1", 3)
	w.write(w.path, 3)
	for seq, want := range map[uint64]string{1: "A-1 A-2 A-3 A-4 A-5 A-6", 3: "A-3 A-4 A-5 A-6", 4: "A-4 A-5 A-6", 6: "A-6", 9: ""} {
		p, err := tail.Before(w.path, seq)
		w.do(err)
		w.log.Close()
		w.log = tail.Open(w.path, p)
		w.read(want)
	}
	for second, want := range map[int]string{0: "A-1 A-2 A-3 A-4 A-5 A-6", 4: "A-4 A-5 A-6", 5: "A-5 A-6", 60: ""} {
		p, err := tail.Since(w.path, time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC))
		w.do(err)
		w.log.Close()
		w.log = tail.Open(w.path, p)
		w.read(want)
	}
	p, err := tail.End(w.path)
	if err != nil || p.ID != "A-6" {
		t.Errorf("%+v %v", p, err)
	}
	if p, err := tail.End(filepath.Join(t.TempDir(), "none")); err != nil || p != (tail.Place{}) {
		t.Errorf("%+v %v", p, err)
	}
}
