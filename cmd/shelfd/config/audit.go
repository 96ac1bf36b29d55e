package config

import (
	"fmt"
	"io/fs"
	"strconv"
)

// AuditOnFailure says what happens when the audit log cannot be written.
type AuditOnFailure struct{ Word string }

// The words of [AuditOnFailure].
const (
	AuditContinue = "continue" // without the line
	AuditRefuse   = "refuse"   // nobody logs in and nothing is changed
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *AuditOnFailure) UnmarshalText(text []byte) (err error) {
	a.Word, err = oneOf(text, AuditContinue, AuditRefuse)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (a AuditOnFailure) MarshalText() ([]byte, error) { return []byte(a.Word), nil }

// AuditSHA256 says which uploads have their digest in the audit log.
type AuditSHA256 struct{ Word string }

// The words of [AuditSHA256].
const (
	AuditSHA256Known  = "when known" // those whose bytes came in order
	AuditSHA256Always = "always"     // all
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *AuditSHA256) UnmarshalText(text []byte) (err error) {
	a.Word, err = oneOf(text, AuditSHA256Known, AuditSHA256Always)
	return err
}

// MarshalText implements [encoding.TextMarshaler].
func (a AuditSHA256) MarshalText() ([]byte, error) { return []byte(a.Word), nil }

// AuditMode is the mode of the audit log, written "0640".
type AuditMode struct{ fs.FileMode }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *AuditMode) UnmarshalText(text []byte) error {
	bits, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || bits&^0o644 != 0 || bits&0o600 != 0o600 {
		return fmt.Errorf("%q is not a mode such as \"0600\" or \"0640\": the server reads and writes the file, and others read it at most", text)
	}
	m.FileMode = fs.FileMode(bits)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (m AuditMode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", m.Perm()), nil }
