package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// auditLog is the file that events are written to, a JSON line each. It is
// opened again on request, as when it has been renamed to make room for a new
// one. A nil auditLog is none.
type auditLog struct {
	path string

	mu sync.Mutex
	f  *os.File // mu
}

// openAuditLog appends to a file, and makes it for its owner alone; nil is none.
func (s settings) openAuditLog() (*auditLog, error) {
	if s.AuditLog == "" {
		return nil, nil
	}
	a := &auditLog{path: s.AuditLog}
	if err := a.reopen(); err != nil {
		return nil, s.unrecorded(err)
	}
	return a, nil
}

// checkAuditLog tells whether the file could be opened, and makes none.
func (s settings) checkAuditLog() error {
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
	return s.unrecorded(err)
}

func (s settings) unrecorded(err error) error {
	return &problem{s.places.where("audit_log"), "Events cannot be recorded", err, "audit_log must name a file in a directory that exists and this user can write."}
}

// Write implements io.Writer, a line at a time.
func (a *auditLog) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.f.Write(line)
}

// reopen goes on in whatever file has the path now. On an error it goes on in
// the old one.
func (a *auditLog) reopen() error {
	if a == nil {
		return nil
	}
	f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.f != nil {
		a.f.Close()
	}
	a.f = f
	return nil
}

func (a *auditLog) close() {
	if a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.f.Close()
	}
}
