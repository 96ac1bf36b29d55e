package gate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"shelf/vfs"
)

// The protocol of a unix socket, one connection a file:
//
//	->  {"version":1,"name":"a.pdf","size":18211,"library":"in","account":"ada"}\n
//	    and with it the open file, as a descriptor (SCM_RIGHTS)
//	<-  {"accept":true}\n  or  {"accept":false,"reason":"a macro"}\n  or  {"error":"no license"}\n
//
// Who asks closes the connection when it does not wait any more. A connection that is
// closed before anything was sent asks for nothing but whether somebody is there.

// head is what is asked. Fields may be added to it.
type head struct {
	Version int `json:"version"`
	File
}

// answer is what is said. Exactly one of Accept and Error is there.
type answer struct {
	Accept *bool  `json:"accept,omitempty"`
	Reason string `json:"reason,omitempty"`
	Error  string `json:"error,omitempty"`
}

// protocol is the version of it.
const protocol = 1

// maxHead is the longest question, in bytes.
const maxHead = 8 << 10

// program is whatever answers on a socket.
type program struct{ path string }

// Scan implements [Scanner].
func (p program) Scan(ctx context.Context, about File, file *os.File) (Verdict, error) {
	c, done, err := dial(ctx, p.path)
	if err != nil {
		return Verdict{}, err
	}
	defer done()
	question, err := json.Marshal(head{protocol, about})
	if err != nil {
		return Verdict{}, err
	}
	if err := Send(c, append(question, '\n'), file); err != nil {
		return Verdict{}, err
	}
	line, err := bufio.NewReader(io.LimitReader(c, maxAnswer)).ReadBytes('\n')
	if err == io.EOF {
		err = errors.New("it has closed the connection without an answer")
	}
	if err != nil {
		return Verdict{}, err
	}
	return verdictOf(line)
}

func verdictOf(line []byte) (Verdict, error) {
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return Verdict{}, fmt.Errorf("it answers %s, which is no JSON", quoted(string(line)))
	}
	switch {
	case a.Error != "":
		return Verdict{}, errors.New(bounded(a.Error))
	case a.Accept == nil:
		return Verdict{}, fmt.Errorf("it answers %s, without a verdict", quoted(string(line)))
	}
	return Verdict{Refused: !*a.Accept, Reason: a.Reason}, nil
}

// Ping implements [Scanner].
func (p program) Ping(ctx context.Context) (string, error) {
	_, done, err := dial(ctx, p.path)
	if err != nil {
		return "", err
	}
	done()
	return "it takes connections", nil
}

func quoted(text string) string { return fmt.Sprintf("%q", vfs.ClipTo(text, maxReason)) }

// Serve is the other end: it has judge look at each file that comes in, until the
// listener is closed or ctx ends, and waits for those under way.
func Serve(ctx context.Context, l *net.UnixListener, judge func(context.Context, File, *os.File) (Verdict, error), log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var under sync.WaitGroup
	defer under.Wait()
	room := make(chan struct{}, maxConns)
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		c, err := accept(ctx, l, log)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			cancel()
			return err
		}
		under.Go(func() {
			defer func() { c.Close(); <-room }()
			if err := serve(ctx, c, judge); err != nil {
				log.Warn("a question was not answered", "reason", err)
			}
		})
	}
}

// maxConns is how many connections are answered at a time; others wait in the queue of
// the system. Each takes two descriptors.
const maxConns = 256

// accept waits for a connection. That the system has no descriptor or no memory for one,
// or that a client has gone again, does not end those under way.
func accept(ctx context.Context, l listener, log *slog.Logger) (*net.UnixConn, error) {
	for told := false; ; {
		c, err := l.AcceptUnix()
		if err == nil || !passes(err) {
			return c, err
		}
		if !told {
			log.Warn("a connection was not taken; it is tried again", "reason", err)
			told = true
		}
		select {
		case <-time.After(acceptPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// listener is a [net.UnixListener].
type listener interface{ AcceptUnix() (*net.UnixConn, error) }

// acceptPause is how long accept waits for the system to have something again.
const acceptPause = 50 * time.Millisecond

// passes tells whether what accept(2) has failed with may pass.
func passes(err error) bool {
	for _, one := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EAGAIN} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// headTimeout is how long a question may take to come in.
const headTimeout = 10 * time.Second

// serve answers one question.
func serve(ctx context.Context, c *net.UnixConn, judge func(context.Context, File, *os.File) (Verdict, error)) error {
	c.SetReadDeadline(time.Now().Add(headTimeout))
	about, file, err := question(c)
	if err == io.EOF {
		return nil // it was a ping
	}
	if err != nil {
		return err
	}
	defer file.Close()
	c.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // until who asks does not wait any more, or c is closed
		c.Read(make([]byte, 1))
		cancel()
	}()
	var a answer
	v, err := judge(ctx, about, file)
	if accept := !v.Refused; err == nil {
		a.Accept, a.Reason = &accept, vfs.ClipTo(v.Reason, maxReason)
	} else {
		a.Error = vfs.ClipTo(err.Error(), maxReason)
	}
	if ctx.Err() != nil {
		return nil // nobody waits for it
	}
	line, err := json.Marshal(a)
	if err == nil {
		_, err = c.Write(append(line, '\n'))
	}
	return err
}

// question reads the head and takes the file. The error is io.EOF if nothing came.
func question(c *net.UnixConn) (about File, file *os.File, err error) {
	fail := func(err error) (File, *os.File, error) {
		if file != nil {
			file.Close()
		}
		return File{}, nil, err
	}
	var text []byte
	for !bytes.HasSuffix(text, []byte("\n")) {
		if len(text) >= maxHead {
			return fail(errors.New("the question is too long"))
		}
		buffer := make([]byte, maxHead-len(text))
		n, came, err := Receive(c, buffer)
		switch {
		case came != nil && file != nil:
			came.Close()
		case came != nil:
			file = came
		}
		if err != nil {
			if len(text) > 0 || err != io.EOF {
				err = fmt.Errorf("the question did not come in: %w", err)
			}
			return fail(err)
		}
		text = append(text, buffer[:n]...)
	}
	var h head
	switch err := json.Unmarshal(text, &h); {
	case err != nil:
		return fail(fmt.Errorf("the question is no JSON: %w", err))
	case h.Version != protocol:
		return fail(fmt.Errorf("the question has version %d, and %d is known here", h.Version, protocol))
	case file == nil:
		return fail(errors.New("no file came with the question"))
	}
	return h.File, file, nil
}
