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
	a.file = &auditLog{path: s.AuditLog}
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

// report is what is told of each event.
func (a *audit) report() func(sshd.Event) {
	if a.file == nil {
		return logEvent(a.log)
	}
	return logEvent(newLog(a.file, config.LogFormat{JSON: true}, slog.LevelInfo))
}

// auditLog is a file that grows by lines. A nil auditLog is none.
type auditLog struct {
	path string

	mu sync.Mutex
	f  *os.File // mu
}

// Write implements io.Writer, a line at a time.
func (l *auditLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(line)
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
