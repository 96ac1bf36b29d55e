package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"shelf/vfs"
)

// The codes of the scp protocol, which has no specification: it is the protocol
// of BSD's rcp. Each side answers each record of the other with a code. After
// scpError and scpFatal a message follows, which ends with a newline.
const (
	scpOK    = 0
	scpError = 1 // about one file; the transfer goes on
	scpFatal = 2 // the transfer ends
)

// maxScpLine is the longest record or message, in bytes. Names have at most 255
// bytes, but some clients escape them.
const maxScpLine = 2 << 10

// scpChunk is how much is read or written at a time, in bytes.
const scpChunk = 64 << 10

// scp is the server side of `scp -O`, and of scp before OpenSSH 9.0. As scp
// itself has it, the side that receives is the sink, and the side that sends is
// the source. The client runs `scp -t` here to upload and `scp -f` to download.
func scp(p *process) (status uint32) {
	f, err := parseScpFlags(p.arguments)
	if err != nil {
		return p.fail(err)
	}
	c := &scpConn{process: p, flags: f, in: bufio.NewReaderSize(p.Channel, scpChunk), buffer: make([]byte, scpChunk)}
	if f.sink {
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

// scpFlags are the flags and arguments of scp on the server.
type scpFlags struct {
	sink     bool // -t; otherwise -f
	preserve bool // -p: keep times and modes
	folder   bool // -d: the target must be a folder, since there may be several files
	names    []argument
}

// parseScpFlags parses the arguments. It accepts -r, for a client that uses it
// may still copy files only. If a folder comes, that folder is refused.
func parseScpFlags(arguments []argument) (f scpFlags, err error) {
	source := false
	for len(arguments) > 0 && strings.HasPrefix(arguments[0].text, "-") && arguments[0].text != "-" {
		letters := arguments[0].text[1:]
		arguments = arguments[1:]
		if letters == "-" {
			break
		}
		for _, letter := range letters {
			switch letter {
			case 't':
				f.sink = true
			case 'f':
				source = true
			case 'p':
				f.preserve = true
			case 'd':
				f.folder = true
			case 'r', 'v', 'q':
			default:
				return f, unknownFlag("-" + string(letter))
			}
		}
	}
	f.names = arguments
	switch {
	case f.sink == source:
		return f, errors.New("here scp needs either -t or -f; run scp on your own machine instead")
	case f.sink && len(arguments) != 1:
		return f, fmt.Errorf("an upload needs exactly one target, not %d; put a name with a space in quotes", len(arguments))
	case len(arguments) == 0:
		return f, errors.New("no file name given")
	}
	return f, nil
}

// scpConn is one transfer.
type scpConn struct {
	*process
	flags  scpFlags
	in     *bufio.Reader // stdin
	buffer []byte        // for content, scpChunk bytes
	failed bool          // some file failed; the exit status says so
}

// errScp means that the client does not keep to the protocol.
var errScp = errors.New("protocol error")

// errScpRecord means that a record is none of those that may come.
var errScpRecord = fmt.Errorf("%w: a record does not begin with C, D or T", errScp)

// errClientGaveUp means that the client has ended the transfer.
var errClientGaveUp = errors.New("the client gave up")

// line reads a record or a message without its newline. It returns io.EOF only
// if there was nothing to read.
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

// answer reads the client's answer. The text of an error message is dropped: the
// client has shown it to its user already. A fatal error ends the transfer.
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
		return false, errClientGaveUp
	}
	return false, nil
}

// accept sends scpOK.
func (c *scpConn) accept() error {
	_, err := c.Channel.Write([]byte{scpOK})
	return err
}

// tell sends an error, unless the client is gone.
func (c *scpConn) tell(code byte, name string, why error) error {
	c.failed = true
	if errors.Is(why, errClientGaveUp) || errors.Is(why, io.EOF) || errors.Is(why, io.ErrUnexpectedEOF) {
		return nil
	}
	message := "scp: "
	if name != "" {
		message += vfs.Printable(name) + ": "
	}
	_, err := fmt.Fprintf(c.Channel, "%c%s%v\n", code, message, why)
	return err
}
