package gate

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// clamd is the daemon of ClamAV on its LocalSocket; clamd(8) has its commands. Those
// that start with z, and their answers, end with a NUL.
type clamd struct{ path string }

// limits starts what clamd calls a file that it has not wholly looked at. It says so
// only with AlertExceedsMax; without, it calls such a file clean.
const limits = "Heuristics.Limits.Exceeded"

// Scan implements [Scanner]. clamd gets the open file (FILDES). Where it can't read
// that, since a proxy is between or AppArmor forbids it, the content is sent
// (INSTREAM).
func (s clamd) Scan(ctx context.Context, _ File, file *os.File) (Verdict, error) {
	answer, err := s.ask(ctx, "zFILDES\x00", func(c *net.UnixConn) error { return Send(c, []byte{0}, file) })
	if v, known := clamdVerdict(answer); known {
		return v, nil
	}
	if err != nil && !isAnswered(err) {
		return Verdict{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Verdict{}, err
	}
	again, err := s.ask(ctx, "zINSTREAM\x00", func(c *net.UnixConn) error { return stream(c, file) })
	if v, known := clamdVerdict(again); known {
		return v, nil
	}
	switch {
	case strings.HasPrefix(again, "INSTREAM size limit exceeded"): // StreamMaxLength
		return Verdict{Partly: true, Reason: "StreamMaxLength"}, nil
	case err != nil:
		return Verdict{}, err
	}
	return Verdict{}, fmt.Errorf("clamd answers %s", quoted(again))
}

// clamdVerdict reads "fd[10]: OK" or "fd[10]: NAME FOUND".
func clamdVerdict(answer string) (v Verdict, known bool) {
	_, what, ok := strings.Cut(answer, ": ")
	if !ok {
		return v, false
	}
	if what == "OK" {
		return v, true
	}
	name, found := strings.CutSuffix(what, " FOUND")
	if !found {
		return v, false
	}
	if strings.HasPrefix(name, limits) {
		return Verdict{Partly: true, Reason: name}, true
	}
	return Verdict{Refused: true, Reason: name}, true
}

// Ping implements [Scanner].
func (s clamd) Ping(ctx context.Context) (string, error) {
	return s.ask(ctx, "zVERSION\x00", func(*net.UnixConn) error { return nil })
}

// errAnswered is a send that failed though an answer came, as when clamd does not
// want the rest.
type errAnswered struct{ error }

func isAnswered(err error) bool { return errors.As(err, new(errAnswered)) }

// ask sends a command and what follows it, and reads the answer.
func (s clamd) ask(ctx context.Context, command string, follow func(*net.UnixConn) error) (string, error) {
	c, done, err := dial(ctx, s.path)
	if err != nil {
		return "", err
	}
	defer done()
	if _, err := c.Write([]byte(command)); err != nil {
		return "", err
	}
	sent := follow(c)
	answer, err := bufio.NewReader(io.LimitReader(c, maxAnswer)).ReadString(0)
	switch { // half an answer is none
	case err == nil && sent != nil:
		return strings.TrimRight(answer, "\x00 \n"), errAnswered{sent}
	case err == nil:
		return strings.TrimRight(answer, "\x00 \n"), nil
	case sent != nil:
		return "", sent
	case err == io.EOF:
		return "", errors.New("clamd has closed the connection without an answer")
	}
	return "", err
}

// maxAnswer is the longest answer of a scanner, in bytes.
const maxAnswer = 64 << 10

// stream sends the content in pieces, each after its length. A piece of no length is
// the end.
func stream(c *net.UnixConn, file *os.File) error {
	piece := make([]byte, 4+64<<10)
	for {
		n, err := io.ReadFull(file, piece[4:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		binary.BigEndian.PutUint32(piece, uint32(n))
		if _, err := c.Write(piece[:4+n]); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}
