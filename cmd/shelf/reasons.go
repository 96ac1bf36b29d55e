package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/sftp"
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

// explain gives an error the server's reason, made safe to print.
func (c *channel) explain(err error) error {
	if err == nil {
		return nil
	}
	if e := (*sftp.StatusError)(nil); errors.As(err, &e) {
		return errors.New(statusText(e))
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if why := c.reasons.last(); why != "" {
		return fmt.Errorf("%w: %s", fs.ErrPermission, printable(why))
	}
	return err
}

// statusText is the server's text of a STATUS. pkg/sftp shows it only quoted:
// sftp: "text" (code).
func statusText(e *sftp.StatusError) string {
	quoted := strings.TrimPrefix(e.Error(), "sftp: ")
	if prefix, err := strconv.QuotedPrefix(quoted); err == nil {
		if text, err := strconv.Unquote(prefix); err == nil && text != "" {
			return printable(text)
		}
	}
	return fmt.Sprintf("the server says %v", e.FxCode())
}
