package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/sshd"
)

// audit is the part that records events: in a file, a line of JSON each, or in
// the log if there is no such file.
type audit struct {
	log  *slog.Logger
	file *auditLog // nil is none
}

// check tells whether the file could be opened, and makes none.
func (a *audit) check(s config.Settings) error {
	if s.AuditLog == "" {
		return nil
	}
	f, err := os.OpenFile(s.AuditLog, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		return f.Close()
	}
	folder := filepath.Dir(s.AuditLog)
	if errors.Is(err, fs.ErrNotExist) && unix.Access(folder, unix.W_OK|unix.X_OK) == nil {
		return nil
	}
	return unrecorded(s, err)
}

func (a *audit) open(s config.Settings) error {
	if s.AuditLog == "" {
		return nil
	}
	a.file = &auditLog{path: s.AuditLog, log: a.log}
	if err := a.file.reopen(); err != nil {
		return unrecorded(s, err)
	}
	return nil
}

func unrecorded(s config.Settings, err error) error {
	return &problem{s.Where("audit_log"), "Events cannot be recorded", err,
		"audit_log must name a file in a directory that exists and this user can write."}
}

func (a *audit) reload(was, next config.Settings) (func() error, error) {
	if was.AuditLog != next.AuditLog {
		return nil, needsRestart(next, "audit_log", "audit_log is now "+cmp.Or(next.AuditLog, "not set"))
	}
	return nil, nil
}

func (a *audit) close() { a.file.close() }

// report is what is told of each event. It fails only where an act that is not
// recorded is to be refused.
func (a *audit) report(s config.Settings) func(sshd.Event) error {
	write := logEvent(a.log)
	if a.file != nil {
		write = logEvent(newLog(a.file, config.LogFormat{JSON: true}, slog.LevelInfo))
	}
	return func(e sshd.Event) error {
		if err := write(e); err != nil && a.refuses(s) {
			return errors.New("the audit log cannot be written")
		}
		return nil
	}
}

// ready tells whether events can be recorded, where that matters; nil is that it
// does not.
func (a *audit) ready(s config.Settings) func() error {
	if !a.refuses(s) {
		return nil
	}
	return a.file.ready
}

func (a *audit) refuses(s config.Settings) bool {
	return a.file != nil && s.AuditOnFailure.Word == config.AuditRefuse
}

// complaints is how often the log is told that lines are lost.
const complaints = time.Minute

// auditLog is a file that grows by whole lines. A nil auditLog is none.
//
// After a failure the first line that can be written again tells how many are
// missing.
type auditLog struct {
	path string
	log  *slog.Logger

	mu         sync.Mutex
	f          *os.File  // mu
	lost       int       // lines that were not written since the last that was; mu
	torn       bool      // the file ends in a part of a line that could not be cut off; mu
	complained time.Time // when the log was last told; mu
}

// Write implements io.Writer, a line at a time.
func (l *auditLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.recover()
	if err == nil {
		err = l.add(line)
	}
	if err != nil {
		l.lost++
		l.complain(err)
		return 0, err
	}
	return len(line), nil
}

// ready is nil if the last line could be written, or one can be now.
func (l *auditLog) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.recover()
	if err != nil {
		l.complain(err)
	}
	return err
}

// recover writes the line that stands for those that are missing. The caller
// holds mu.
func (l *auditLog) recover() error {
	if l.lost == 0 {
		return nil
	}
	line := fmt.Sprintf(`{"time":%q,"level":"WARN","msg":"lost","lines":%d}`+"\n", time.Now().Format(time.RFC3339Nano), l.lost)
	if err := l.add([]byte(line)); err != nil {
		return err
	}
	l.log.Warn("the audit log can be written again", "file", l.path, "lost", l.lost)
	l.lost, l.complained = 0, time.Time{}
	return nil
}

// add writes a line with one write. If it is not written whole, it is cut off; if
// that fails too, the next one begins on a line of its own. The caller holds mu.
func (l *auditLog) add(line []byte) error {
	if l.torn {
		line = append([]byte("\n"), line...)
	}
	n, err := l.f.Write(line)
	if err == nil {
		l.torn = false
		return nil
	}
	if n > 0 {
		info, e := l.f.Stat()
		if e == nil {
			e = l.f.Truncate(info.Size() - int64(n))
		}
		l.torn = l.torn || e != nil
	}
	return err
}

// complain tells the log, but not of each line. The caller holds mu.
func (l *auditLog) complain(err error) {
	if now := time.Now(); now.Sub(l.complained) >= complaints {
		l.complained = now
		l.log.Error("events are not recorded: the audit log cannot be written", "file", l.path, "lost", l.lost, "reason", err)
	}
}

// reopen goes on in the file that has the path now: the old one may have been
// renamed to make room. A file that is made is for its owner alone. On an error
// it goes on in the old file.
func (l *auditLog) reopen() error {
	if l == nil {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.f.Close()
	}
	l.f = f
	return nil
}

func (l *auditLog) close() {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.f.Close()
	}
}
