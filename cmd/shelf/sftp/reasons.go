package sftp

import (
	"bufio"
	"io"
	"time"
)

// reasons is the lines that a server writes to stderr. They say why a request was
// refused, where the reply has only a code.
type reasons struct{ lines chan string }

// readReasons reads lines until the channel ends. If nobody takes them, new lines
// are dropped, so that the server never has to wait for us.
func readReasons(from io.Reader) *reasons {
	r := &reasons{make(chan string, 16)}
	go func() {
		const longest = 4096
		lines := bufio.NewScanner(from)
		lines.Buffer(nil, longest)
		for lines.Scan() {
			select {
			case r.lines <- lines.Text():
			default:
			}
		}
		io.Copy(io.Discard, from)
	}()
	return r
}

// last is the newest line. It may come a moment after the reply that it explains,
// so last waits for a short while.
func (r *reasons) last() string {
	line := ""
	late := time.After(200 * time.Millisecond)
	for {
		select {
		case line = <-r.lines:
			late = time.After(0)
		case <-late:
			return line
		}
	}
}

// forget drops the lines of earlier requests.
func (r *reasons) forget() {
	for {
		select {
		case <-r.lines:
		default:
			return
		}
	}
}
