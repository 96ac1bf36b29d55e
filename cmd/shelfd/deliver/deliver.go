// Package deliver tells others what happened in the libraries: it sends the events of
// the audit log to URLs, as webhooks, or runs a command for each. It is a process of
// its own, shelfd deliver, and the server does not know of it: a receiver that is slow
// or gone can hold up nobody.
//
//	deliver.go   Deliver: all receivers, until told to end
//	command.go   the command shelfd deliver
//	round.go     it delivers until other settings count, and reads them at SIGHUP
//	status.go    the command shelfd deliver status
//	receivers.go receivers, made of the settings
//	filter.go    which events a receiver wants
//	worker.go    one receiver: the loop, and its journal
//	read.go      it reads on in the logs, as far as there is room
//	try.go       it sends, and tries again
//	queue.go     what waits, and in which order it may go
//	backoff.go   when the next try is
//	journal.go   what survives a crash
//	event.go     an event, as CloudEvents has it
//	program.go   commands, and what they are given; bound_*.go: how they end with us
//	metrics.go   how it goes, for Prometheus
//	folder.go    the folder of journals, and its lock
//
// The audit log is the queue: a receiver has a place in it. What was read and is not
// delivered yet is in the receiver's journal, up to a limit, and then nothing more is
// read. So a failing event holds back those of the same file and no others, and
// nothing is lost however long a receiver is down, as long as the log is there.
//
// Package tail reads the log, package webhook sends.
package deliver

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"shelf/cmd/shelfd/audit"
)

// Options is what [Run] needs to know.
type Options struct {
	Folder    string   // of the journals
	Logs      []string // files of audit logs, or patterns of such
	Receivers []Receiver
	Log       *slog.Logger
	Once      bool          // end when all that can be done now is done
	Replay    uint64        // go back to the line of this number; 0 does not
	Poll      time.Duration // how often to look for new lines
	Grace     time.Duration // for tries under way to end when it is told to end
}

// errLeft is that events wait that could not be delivered.
var errLeft = errors.New("not all events could be delivered; shelfd deliver status tells which wait, and why")

// deliverer is a run of all receivers.
type deliverer struct {
	workers []*worker
}

// open opens the journals of all receivers.
func open(o Options) (*deliverer, error) {
	d := &deliverer{}
	for _, r := range o.Receivers {
		w, err := newWorker(o, r)
		if err != nil {
			d.close()
			return nil, err
		}
		d.workers = append(d.workers, w)
	}
	return d, nil
}

func (d *deliverer) close() {
	for _, w := range d.workers {
		w.close()
	}
}

// run delivers until ctx ends or, with once, until there is nothing left to do.
func (d *deliverer) run(ctx context.Context) error {
	var all sync.WaitGroup
	left := make([]bool, len(d.workers))
	for i, w := range d.workers {
		all.Go(func() { left[i] = w.run(ctx) })
	}
	all.Wait()
	for i, w := range d.workers {
		if w.o.Once && left[i] {
			return errLeft
		}
	}
	return nil
}

// IsPattern tells whether a path is one of filepath.Match.
func IsPattern(path string) bool { return strings.ContainsAny(path, "*?[") }

// aboutItself tells whether lines of an operation are about the log alone.
func aboutItself(op string) bool { return op == audit.OpCheckpoint || op == audit.OpLost }
