// Package audit is the log of events: who did what, a line of JSON each, in a file
// that only grows. docs/audit.md tells of every field.
//
//	audit.go     Log: an event becomes a line, written before the client hears OK
//	line.go      Line: the fields; encode.go: as JSON
//	operator.go  what is done to the server itself, by its operator or by itself
//	file.go      the file: whole lines, and those that could not be written
//	rotate.go    a new file when it has grown too large
//	chain.go     each line names the one before, and checkpoints are signed
//	tail.go      where to go on after a restart
//	gap.go       what may have no line, after a crash
//	counters.go  how it goes, for metrics and health
//
// Who reads a log:
//
//	search.go    which lines are wanted
//	verify.go    whether a log was changed
//	published.go the line of what was published; pieces.go  where those are
//	command.go   the command shelfd audit; who.go, verify_command.go  its commands
//
// A client's texts are escaped on the way in, so a line holds no control character.
package audit

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"shelf/sshd"
	"shelf/vfs"
)

// Options is what a [Log] is made from.
type Options struct {
	Path string
	Host string // of each line
	Log  *slog.Logger
	Rules
}

// Rules are the options that may change while the log is open.
type Rules struct {
	Mode    fs.FileMode // of a file that is made
	MaxSize int64       // bytes from which on a new file is begun; 0 is never
	Keep    int         // how many old files stay; 0 is all
	Refuse  bool        // what cannot be recorded is refused
}

// Log is an audit log. It is safe for concurrent use. A nil Log is none.
type Log struct {
	o       Options
	started string // part of every id: this run of the server
	folder  *os.File

	syncing sync.Mutex // held while the file is synced; taken before mu
	synced  uint64     // lines up to this one survive a power cut; syncing

	mu         sync.Mutex
	chain      chain     // mu
	rules      Rules     // mu
	file       file      // mu
	seq        uint64    // of the last line; mu
	old        []string  // files that were too large, the oldest first; mu
	nextTry    time.Time // to begin a new file; mu
	syncError  error     // of the last call, or nil; mu
	failed     uint64    // lines up to this one may be lost: a call for them failed; mu
	lost       int       // lines that were not written since the last that was; mu
	complained time.Time // when the server's log was last told; mu
	count      Counters  // mu
}

// errUnrecorded is what becomes of an act that has to be recorded and is not.
var errUnrecorded = errors.New("the audit log cannot be written")

// Report writes the line of an event. With [Rules.Refuse] it fails if the line is
// not written; what is durable is refused if the line is not, too.
func (l *Log) Report(e sshd.Event) error {
	if l == nil {
		return nil
	}
	seq, err := l.write(LineOf(e))
	if err == nil && e.Durable {
		err = l.sync(seq)
	}
	if err != nil && l.refuses() {
		return errUnrecorded
	}
	return nil
}

// Refuse tells whether what cannot be recorded is refused.
func (l *Log) refuses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rules.Refuse
}

// Set changes the rules.
func (l *Log) Set(r Rules) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = r
}

// Ready returns nil if events can be recorded, or need not be.
func (l *Log) Ready() error {
	if l == nil || !l.refuses() {
		return nil
	}
	return l.Health()
}

// Health returns nil if the last line could be written, or lines can be now. It
// tries, if there are lines missing, so it also ends a failure.
func (l *Log) Health() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	err, unsynced, seq := l.recover(), l.syncError != nil, l.seq
	if err != nil {
		l.complain(err)
	}
	l.mu.Unlock()
	if err == nil && unsynced {
		err = l.syncFile(seq)
	}
	return err
}

// write writes a line and returns its number.
func (l *Log) write(line Line) (seq uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.recover()
	if err == nil {
		err = l.add(line)
	}
	if err != nil {
		l.lost++
		l.fails(err)
		return 0, err
	}
	return l.seq, nil
}

// recover writes the line that stands for those that are missing. mu is held.
func (l *Log) recover() error {
	if l.lost == 0 {
		return nil
	}
	if err := l.add(Line{Op: OpLost, Result: vfs.ResultFailed, Lines: l.lost, Reason: l.count.LastError}); err != nil {
		return err
	}
	l.o.Log.Warn("the audit log can be written again", "file", l.o.Path, "lost", l.lost)
	l.lost, l.complained, l.count.Failing = 0, time.Time{}, l.syncError != nil
	return nil
}

// add gives the line its number and writes it. mu is held.
func (l *Log) add(line Line) error {
	l.stamp(&line)
	if err := l.append(line.Seq, line.encode()); err != nil {
		return err
	}
	l.count.Lines++
	l.rotateIfFull()
	l.chain.due(l)
	return nil
}

// stamp gives a line what it has from the log. mu is held.
func (l *Log) stamp(line *Line) {
	line.Time, line.Seq, line.Host = Stamp{time.Now()}, l.seq+1, l.o.Host
	line.ID, line.Prev = l.idOf(line.Seq), l.chain.prev
}

// append writes the text of the next line. mu is held.
func (l *Log) append(seq uint64, text []byte) error {
	if err := l.file.add(text); err != nil {
		return err
	}
	l.seq, l.chain.prev = seq, hashOf(text[:len(text)-1])
	return nil
}

// sync makes a line survive a power cut. That a later call does not fail says nothing
// of what one before it has failed for: the system drops that, or it is in another file.
func (l *Log) sync(seq uint64) error {
	err := l.syncFile(seq)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && seq <= l.failed {
		err = errUnrecorded
	}
	return err
}

// syncFile syncs the file, unless that was done since a line was written. Those who wait
// meanwhile share the next call: it covers all lines that are written when it begins.
func (l *Log) syncFile(seq uint64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= seq {
		return nil
	}
	l.mu.Lock()
	f, last := l.file.File, l.seq
	l.mu.Unlock()
	err := f.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrClosed):
		err = l.syncError // who closed it has synced it
	case err != nil:
		l.unsynced(last, err)
	default:
		l.syncError, l.count.Failing = nil, l.lost > 0
	}
	if err == nil {
		l.synced = last
	}
	return err
}

// unsynced notes that lines up to one may not survive a power cut. mu is held.
func (l *Log) unsynced(last uint64, err error) {
	l.syncError, l.failed = err, max(l.failed, last)
	l.fails(err)
}

// complaints is how often the server's log is told that lines are lost.
const complaints = time.Minute

// fails counts a failure and complains of it. mu is held.
func (l *Log) fails(err error) {
	l.count.Failures++
	l.count.Failing, l.count.LastFailure, l.count.LastError = l.lost > 0 || l.syncError != nil, time.Now(), vfs.WithoutPath(err).Error()
	l.complain(err)
}

// complain tells the server's log, but not of each line. mu is held.
func (l *Log) complain(err error) {
	if now := time.Now(); now.Sub(l.complained) >= complaints {
		l.complained = now
		l.o.Log.Error("events are not recorded: the audit log cannot be written", "file", l.o.Path, "lost", l.lost, "reason", err)
	}
}
