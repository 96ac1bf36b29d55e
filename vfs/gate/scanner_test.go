package gate_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs/gate"
)

// answering is a unix socket on which a function answers each connection.
func answering(t *testing.T, answer func(*net.UnixConn)) string {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go func() { answer(c); c.Close() }()
		}
	}()
	return path
}

// shortDir is a folder whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func open(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := staged(t, text).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestClamdAnswers reads what clamd may answer. Half an answer is none: the rest of
// "fd[10]: OK" could have been " FOUND".
func TestClamdAnswers(t *testing.T) {
	for said, want := range map[string]string{
		"fd[10]: OK\x00":                         "accepted",
		"fd[10]: OK":                             "no verdict",
		"fd[10]: OK FOUND\x00":                   "refused OK",
		"fd[10]: Eicar-Test-Signature FOUND\x00": "refused Eicar-Test-Signature",
		"fd[10]: a: b FOUND\x00":                 "refused a: b",
		"fd[10]: Heuristics.Limits.Exceeded.MaxFileSize FOUND\x00": "partly Heuristics.Limits.Exceeded.MaxFileSize",
		"fd[10]: Can't allocate memory ERROR\x00":                  "no verdict",
		"UNKNOWN COMMAND\x00":                                      "no verdict",
		"\x00":                                                     "no verdict",
		"":                                                         "no verdict",
		"OK\x00":                                                   "no verdict",
		strings.Repeat("x", 1<<20) + ": OK\x00":                    "no verdict",
	} {
		path := answering(t, func(c *net.UnixConn) {
			if _, err := bufio.NewReader(c).ReadString(0); err == nil {
				io.WriteString(c, said)
			}
		})
		v, err := gate.Address{Kind: gate.Clamd, Path: path}.Scanner().Scan(t.Context(), gate.File{}, open(t, "hello"))
		got := "accepted"
		switch {
		case err != nil:
			got = "no verdict"
		case v.Refused:
			got = "refused " + v.Reason
		case v.Partly:
			got = "partly " + v.Reason
		}
		if got != want {
			t.Errorf("%.60q: %s (%v), want %s", said, got, err, want)
		}
	}
}

// TestClamdGetsTheFile gives it the open file and, if it says that none came, the
// content.
func TestClamdGetsTheFile(t *testing.T) {
	text := strings.Repeat("0123456789", 20000)
	for _, takes := range []bool{true, false} {
		got := ""
		path := answering(t, func(c *net.UnixConn) {
			buffer := make([]byte, 10)
			n, file, err := gate.Receive(c, buffer)
			if file == nil && n == len(buffer) && err == nil {
				if strings.HasPrefix(string(buffer), "zFILDES\x00") {
					_, file, err = gate.Receive(c, buffer)
				} else if strings.HasPrefix(string(buffer), "zINSTREAM\x00") {
					got = readStream(c)
					io.WriteString(c, "stream: OK\x00")
					return
				}
			}
			for file == nil && err == nil && takes { // the command came alone
				_, file, err = gate.Receive(c, buffer)
			}
			if file != nil {
				defer file.Close()
			}
			if !takes {
				io.WriteString(c, "No file descriptor received. ERROR\x00")
				return
			}
			if all, err := io.ReadAll(file); err == nil {
				got = string(all)
			}
			io.WriteString(c, "fd[5]: OK\x00")
		})
		v, err := gate.Address{Kind: gate.Clamd, Path: path}.Scanner().Scan(t.Context(), gate.File{}, open(t, text))
		if err != nil || v.Refused || v.Partly || got != text {
			t.Errorf("takes files: %v; %+v, %v; it got %d bytes of %d", takes, v, err, len(got), len(text))
		}
	}
}

func readStream(c *net.UnixConn) string {
	var all strings.Builder
	for {
		var length uint32
		if err := binary.Read(c, binary.BigEndian, &length); err != nil || length == 0 {
			return all.String()
		}
		io.CopyN(&all, c, int64(length))
	}
}

// TestClamdStreamLimit has clamd refuse the rest of a stream, as at StreamMaxLength.
func TestClamdStreamLimit(t *testing.T) {
	path := answering(t, func(c *net.UnixConn) {
		r := bufio.NewReader(c)
		switch command, _ := r.ReadString(0); command {
		case "zFILDES\x00":
			io.WriteString(c, "UNKNOWN COMMAND\x00")
		case "zINSTREAM\x00":
			io.CopyN(io.Discard, r, 100)
			io.WriteString(c, "INSTREAM size limit exceeded. ERROR\x00")
		}
	})
	v, err := gate.Address{Kind: gate.Clamd, Path: path}.Scanner().Scan(t.Context(), gate.File{}, open(t, strings.Repeat("x", 10<<20)))
	if err != nil || !v.Partly {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestProgramAnswers reads what a program behind a socket may answer.
func TestProgramAnswers(t *testing.T) {
	for said, want := range map[string]string{
		`{"accept":true}` + "\n":                    "accepted",
		`{"accept":false,"reason":"macros"}` + "\n": "refused macros",
		`{"accept":false}` + "\n":                   "refused ",
		`{"accept":true}`:                           "no verdict",
		`{"error":"no license"}` + "\n":             "no verdict",
		`{"accept":true,"error":"half"}` + "\n":     "no verdict",
		`{"reason":"macros"}` + "\n":                "no verdict",
		`{"accept":"yes"}` + "\n":                   "no verdict",
		"yes\n":                                     "no verdict",
		"":                                          "no verdict",
	} {
		path := answering(t, func(c *net.UnixConn) {
			if line, err := bufio.NewReader(c).ReadString('\n'); err == nil && strings.HasPrefix(line, `{"version":1,"name":"a \"b\".pdf","size":5,`) {
				io.WriteString(c, said)
			}
		})
		v, err := gate.Address{Kind: gate.Socket, Path: path}.Scanner().Scan(t.Context(), gate.File{Name: `a "b".pdf`, Size: 5}, open(t, "hello"))
		got := "accepted"
		switch {
		case err != nil:
			got = "no verdict"
		case v.Refused:
			got = "refused " + v.Reason
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", said, got, err, want)
		}
	}
}

// serving is the other end of the protocol, in this process.
func serving(t *testing.T, judge func(context.Context, gate.File, *os.File) (gate.Verdict, error)) gate.Scanner {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	log := new(bytes.Buffer)
	go func() { ended <- gate.Serve(ctx, l, judge, slog.New(slog.NewTextHandler(log, nil))) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil || strings.Contains(log.String(), "did not come in") {
			t.Errorf("%v; the log says %s", err, log)
		}
	})
	return gate.Address{Kind: gate.Socket, Path: path}.Scanner()
}

func TestServe(t *testing.T) {
	about := gate.File{Name: "a.pdf", Size: 5, Library: "in", Account: "ada"}
	s := serving(t, func(_ context.Context, f gate.File, file *os.File) (gate.Verdict, error) {
		text, err := io.ReadAll(file)
		switch {
		case err != nil || f != about:
			return gate.Verdict{}, errors.New("that is not what was sent")
		case string(text) == "evil":
			return gate.Verdict{Refused: true, Reason: "it says so"}, nil
		}
		return gate.Verdict{}, nil
	})
	if said, err := s.Ping(t.Context()); err != nil || said == "" {
		t.Errorf("%q, %v", said, err)
	}
	if v, err := s.Scan(t.Context(), about, open(t, "evil")); err != nil || !v.Refused || v.Reason != "it says so" {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := s.Scan(t.Context(), about, open(t, "good")); err != nil || v.Refused {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := s.Scan(t.Context(), gate.File{Name: "other"}, open(t, "good")); err == nil || !strings.Contains(err.Error(), "not what was sent") {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestServeHearsThatNobodyWaits ends a check whose answer nobody waits for.
func TestServeHearsThatNobodyWaits(t *testing.T) {
	begun, ended := make(chan bool), make(chan bool)
	s := serving(t, func(ctx context.Context, _ gate.File, _ *os.File) (gate.Verdict, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return gate.Verdict{}, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if v, err := s.Scan(ctx, gate.File{}, open(t, "x")); err == nil {
		t.Errorf("%+v", v)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the check goes on")
	}
}

// TestServeRefusesNonsense gets an error, or nothing, for what is no question, and no
// descriptor stays open.
func TestServeRefusesNonsense(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- gate.Serve(ctx, l, func(context.Context, gate.File, *os.File) (gate.Verdict, error) {
			asked <- true
			return gate.Verdict{}, nil
		}, slog.New(slog.DiscardHandler))
	}()
	for _, test := range []struct {
		says string
		file bool
	}{
		{"{\"version\":1}\n", false}, {"{\"version\":2}\n", true}, {"nonsense\n", true}, {strings.Repeat("x", 100000), true},
	} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		var file *os.File
		if test.file {
			file = open(t, "x")
		}
		gate.Send(c.(*net.UnixConn), []byte(test.says), file)
		if answer, _ := io.ReadAll(c); len(answer) > 0 {
			t.Errorf("%.30q: %s", test.says, answer)
		}
		c.Close()
	}
	cancel()
	if err := <-ended; err != nil || len(asked) > 0 {
		t.Errorf("%v; %d questions were asked", err, len(asked))
	}
}

// TestReceiveTakesOneFile gets several in one message: all but the first are closed.
func TestReceiveTakesOneFile(t *testing.T) {
	path := answering(t, func(c *net.UnixConn) {
		if _, file, err := gate.Receive(c, make([]byte, 1)); err == nil && file != nil {
			text, _ := io.ReadAll(file)
			file.Close()
			c.Write(text)
		}
		io.Copy(io.Discard, c)
	})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	rights := unix.UnixRights(int(open(t, "one").Fd()), int(writes.Fd()))
	if _, _, err := c.(*net.UnixConn).WriteMsgUnix([]byte("x"), rights, nil); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "one" {
		t.Errorf("%q, %v", got, err)
	}
	writes.Close()
	reads.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := reads.Read(got); err != io.EOF {
		t.Errorf("the second file stays open: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{"clamd:/run/clamav/clamd.ctl", "socket:/run/a:b.sock"} {
		at, err := gate.ParseAddress(text)
		if err != nil || at.String() != text {
			t.Errorf("%s: %v, %v", text, at, err)
		}
	}
	for _, text := range []string{"", "clamd", "clamd:", "tcp:/x", "/run/x"} {
		if at, err := gate.ParseAddress(text); err == nil {
			t.Errorf("%q is %v", text, at)
		}
	}
}
