// Package scanner asks scanners for a server that may not connect to anything any
// more: a process of its own does, which is started before the server gives that up.
// That one can do nothing else either: it opens no file, and it connects to the unix
// sockets that it was told of at its start and to nothing else.
//
//	scanner.go  the messages, and the process's side: Command
//	process.go  the server's side: Process
//	start_*.go  how the one starts the other
package scanner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/confine"
	"shelf/vfs"
	"shelf/vfs/gate"
)

// request is a message of the server. It has the file with it, unless Ping or Cancel
// is set.
type request struct {
	ID      uint64    `json:"id"`
	Scanner int       `json:"scanner"` // which one, in the order of the arguments
	Ping    bool      `json:"ping,omitempty"`
	Cancel  bool      `json:"cancel,omitempty"` // nobody waits for the answer any more
	File    gate.File `json:"file"`
}

// reply is a message to the server.
type reply struct {
	ID      uint64       `json:"id"`
	Verdict gate.Verdict `json:"verdict"`
	Said    string       `json:"said,omitempty"`  // to a ping
	Error   string       `json:"error,omitempty"` // there is no verdict
}

// maxMessage is the longest message, in bytes. Texts in a reply are cut to maxText.
const (
	maxMessage = 16 << 10
	maxText    = 1 << 10
)

// Name is the name of the command. It is for the server alone, and in no help.
const Name = "scanner"

// channel is the descriptor that a process gets its requests on.
const channel = 3

// Command is the process.
func Command() *cobra.Command {
	return &cobra.Command{
		Use: Name, Hidden: true, Short: "Ask scanners for a server (not for people)", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			scanners := make([]gate.Scanner, len(args))
			for i, text := range args {
				at, err := gate.ParseAddress(text)
				if err != nil {
					return err
				}
				scanners[i] = at.Scanner()
			}
			conn, err := connOf(os.NewFile(channel, Name))
			if err != nil {
				return fmt.Errorf("it is for the server alone: %w", err)
			}
			// The server ends it, by closing its end. A signal for all processes of a
			// terminal or unit must not end it before the last upload.
			signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			if err := errors.Join(confine.Files(confine.Reach{}, false), confine.ScannerCalls()); err != nil {
				fmt.Fprintf(c.ErrOrStderr(), "shelfd: a layer of the sandbox of the process that asks scanners is missing: %v\n", err)
			}
			return serve(c.Context(), conn, scanners)
		},
	}
}

// connOf is the connection of a descriptor, which it takes.
func connOf(file *os.File) (*net.UnixConn, error) {
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("the descriptor is no unix socket")
	}
	return conn, nil
}

// worker answers requests.
type worker struct {
	conn     *net.UnixConn
	scanners []gate.Scanner

	mu    sync.Mutex
	under map[uint64]context.CancelFunc // what is under way; mu
}

// serve answers until the server is gone.
func serve(ctx context.Context, conn *net.UnixConn, scanners []gate.Scanner) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	w := &worker{conn: conn, scanners: scanners, under: make(map[uint64]context.CancelFunc)}
	buffer := make([]byte, maxMessage)
	for {
		n, file, err := gate.Receive(conn, buffer)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var q request
		if err := json.Unmarshal(buffer[:n], &q); err != nil {
			return fmt.Errorf("a request is no JSON: %w", err)
		}
		if q.Cancel {
			w.end(q.ID)
			continue
		}
		one, stop := context.WithCancel(ctx)
		w.begin(q.ID, stop)
		go func() {
			defer w.end(q.ID)
			w.answer(one, q, file)
		}()
	}
}

func (w *worker) begin(id uint64, stop context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under[id] = stop
}

func (w *worker) end(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stop := w.under[id]; stop != nil {
		stop()
		delete(w.under, id)
	}
}

// answer asks the scanner. Whatever goes wrong is an answer, too.
func (w *worker) answer(ctx context.Context, q request, file *os.File) {
	a := reply{ID: q.ID}
	var err error
	func() {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the program has failed: %v", p)
			}
		}()
		a.Verdict, a.Said, err = w.ask(ctx, q, file)
	}()
	if err != nil {
		a.Error = vfs.ClipTo(vfs.WithoutPath(err).Error(), maxText)
	}
	a.Verdict.Reason, a.Said = vfs.ClipTo(a.Verdict.Reason, maxText), vfs.ClipTo(a.Said, maxText)
	if text, err := json.Marshal(a); err == nil {
		w.conn.Write(text) // if that fails the server is gone
	}
}

func (w *worker) ask(ctx context.Context, q request, file *os.File) (v gate.Verdict, said string, err error) {
	if file != nil {
		defer file.Close()
	}
	switch {
	case q.Scanner < 0 || q.Scanner >= len(w.scanners):
		return v, "", errors.New("there is no such scanner")
	case q.Ping:
		said, err = w.scanners[q.Scanner].Ping(ctx)
	case file == nil:
		err = errors.New("no file came with the request")
	default:
		v, err = w.scanners[q.Scanner].Scan(ctx, q.File, file)
	}
	return v, said, err
}
