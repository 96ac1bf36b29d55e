package main

import (
	"bufio"
	"io"
	"time"
)

// reasons are the lines that a server writes beside its answers. They say why
// something was refused, where the answer is only a number.
type reasons struct{ lines chan string }

// readReasons reads lines until the channel ends. What nobody asks for in time
// is dropped, so that the server never waits for us.
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

// last is the newest line. The answer and its reason come one after the other;
// the reason may be a moment late.
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

// forget drops what was said before.
func (r *reasons) forget() {
	for {
		select {
		case <-r.lines:
		default:
			return
		}
	}
}
