package sshd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"shelf/vfs"
)

// The messages of scp, which are those of rcp. Each record is a line; each is
// answered with a byte, after which a message follows unless it is scpOK.
const (
	scpOK    = 0
	scpError = 1 // of one file; the transfer goes on
	scpFatal = 2
)

// maxScpLine is the longest record or message, in bytes: room for a name of 255
// bytes, which some clients escape.
const maxScpLine = 2 << 10

// scpChunk is how much is read or written at a time, in bytes.
const scpChunk = 64 << 10

// scp is the far end of `scp -O`, and of scp as it was before OpenSSH 9: a sink
// for uploads (-t), a source for downloads (-f).
func (p *process) scp() uint32 {
	o, err := parseScpOptions(p.args)
	if err != nil {
		fmt.Fprintf(p.stderr, "scp: %v\n", err)
		return exitFailure
	}
	c := &scpConn{process: p, options: o, in: bufio.NewReaderSize(p.channel, scpChunk), buffer: make([]byte, scpChunk)}
	if o.sink {
		err = c.receive()
	} else {
		err = c.send()
	}
	if err != nil {
		c.tell(scpFatal, "", err)
	}
	if err != nil || c.failed {
		return exitFailure
	}
	return exitOK
}

// scpOptions is how scp calls its far end.
type scpOptions struct {
	sink     bool // -t; else -f
	preserve bool // -p: times, too
	folder   bool // -d: the target must be a folder
	names    []word
}

// parseScpOptions reads what clients send. -r is granted: what it is about, a
// folder, is refused when one comes.
func parseScpOptions(args []word) (o scpOptions, err error) {
	source := false
	for len(args) > 0 && strings.HasPrefix(args[0].text, "-") && args[0].text != "-" {
		flags := args[0].text[1:]
		args = args[1:]
		if flags == "-" {
			break
		}
		for _, flag := range flags {
			switch flag {
			case 't':
				o.sink = true
			case 'f':
				source = true
			case 'p':
				o.preserve = true
			case 'd':
				o.folder = true
			case 'r', 'v', 'q':
			default:
				return o, fmt.Errorf("there is no option %s here", vfs.Printable("-"+string(flag)))
			}
		}
	}
	o.names = args
	switch {
	case o.sink == source:
		return o, errors.New("this is the far end of an scp; call scp on your own machine")
	case o.sink && len(args) != 1:
		return o, fmt.Errorf("an upload has one target, and there are %d; put a name with a space into quotes", len(args))
	case len(args) == 0:
		return o, errors.New("no name to send")
	}
	return o, nil
}

// scpConn is one conversation.
type scpConn struct {
	*process
	options scpOptions
	in      *bufio.Reader
	buffer  []byte
	failed  bool // something was not done; the exit status says so
}

// errScp is a peer that does not keep to the protocol.
var errScp = errors.New("protocol error")

// line reads a record without its newline. The error is io.EOF only between
// records.
func (c *scpConn) line() (string, error) {
	var b strings.Builder
	for {
		ch, err := c.in.ReadByte()
		switch {
		case err == io.EOF && b.Len() > 0:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case ch == '\n':
			return b.String(), nil
		case b.Len() == maxScpLine:
			return "", fmt.Errorf("%w: a record is longer than %d bytes", errScp, maxScpLine)
		}
		b.WriteByte(ch)
	}
}

// answer reads the peer's answer. What it says went wrong is known to who sits
// there; a fatal error ends the conversation.
func (c *scpConn) answer() (ok bool, err error) {
	code, err := c.in.ReadByte()
	if err != nil {
		return false, err
	}
	if code == scpOK {
		return true, nil
	}
	c.failed = true
	if code != scpError && code != scpFatal {
		return false, fmt.Errorf("%w: an answer begins with %q", errScp, code)
	}
	if _, err := c.line(); err != nil {
		return false, err
	}
	if code == scpFatal {
		return false, errPeerGaveUp
	}
	return false, nil
}

// errPeerGaveUp ends a conversation that the peer has ended.
var errPeerGaveUp = errors.New("the peer gave up")

// accept sends the answer that all is well.
func (c *scpConn) accept() error {
	_, err := c.channel.Write([]byte{scpOK})
	return err
}

// tell sends why something is not done. Who is gone need not be told.
func (c *scpConn) tell(code byte, name string, why error) error {
	c.failed = true
	if errors.Is(why, errPeerGaveUp) || errors.Is(why, io.EOF) || errors.Is(why, io.ErrUnexpectedEOF) {
		return nil
	}
	message := "scp: "
	if name != "" {
		message += vfs.Printable(name) + ": "
	}
	_, err := fmt.Fprintf(c.channel, "%c%s%v\n", code, message, why)
	return err
}
