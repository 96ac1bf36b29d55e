package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"

	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
	"shelf/cmd/shelfd/receipt"
	"shelf/cmd/shelfd/recovery"
	"shelf/sshd"
	"shelf/vfs"
	"shelf/vfs/access"
)

// auditing is the part that records events: in a file, a line of JSON each, or in
// the log if there is no such file.
type auditing struct {
	log  *slog.Logger
	keys *hostKeys    // sign it
	file *audit.Log   // nil is none
	sums *access.Sums // the same

	office *receipt.Office // the same
	gap    *audit.Gap      // what the server before this one may have left without a line

	unlooked error // that it was not looked for yet; not while it is
}

// check tells whether the file could be opened, and makes none.
func (a *auditing) check(s config.Settings) error {
	if s.AuditLog == "" {
		return nil
	}
	return unrecorded(s, audit.Check(s.AuditLog))
}

func (a *auditing) open(s config.Settings) (err error) {
	if s.AuditLog == "" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return unrecorded(s, err)
	}
	a.sums = access.NewSums()
	a.sums.SetAlways(s.AuditSHA256.Word == config.AuditSHA256Always)
	if a.gap, err = audit.FindGap(s.AuditLog); err != nil {
		return unrecorded(s, err)
	}
	a.file, err = audit.Open(audit.Options{Path: s.AuditLog, Host: host, Log: a.log, Rules: auditRules(s)})
	if err == nil {
		a.office = receipt.New(s.AuditLog)
		a.sign()
	}
	return unrecorded(s, err)
}

// sign has what is signed from now on be signed with the host key of now.
func (a *auditing) sign() {
	key := a.signer()
	a.file.SetSigner(key)
	a.office.SetSigner(key)
}

// receipts gives them, if there is an audit log.
func (a *auditing) receipts() access.Receipts {
	if a.office == nil {
		return nil
	}
	return a.office
}

// signer is the host key that signs checkpoints and receipts: the first one, without its
// certificate.
func (a *auditing) signer() ssh.Signer {
	for _, key := range a.keys.current.Current {
		if _, certified := key.PublicKey().(*ssh.Certificate); !certified {
			return key
		}
	}
	return nil
}

func auditRules(s config.Settings) audit.Rules {
	return audit.Rules{
		Mode: s.AuditMode.FileMode, MaxSize: s.AuditMaxSize.Bytes, Keep: int(s.AuditKeep),
		Refuse: s.AuditOnFailure.Word == config.AuditRefuse,
	}
}

func unrecorded(s config.Settings, err error) error {
	if err == nil {
		return nil
	}
	return &problem{s.Where("audit_log"), "Events cannot be recorded", err,
		"audit_log must name a file in a directory that exists and this user can write."}
}

// reload cannot change the file; and if the process has given up to rename it, not
// that either.
func (a *auditing) reload(was, next config.Settings) (func() error, error) {
	switch {
	case was.AuditLog != next.AuditLog:
		return nil, needsRestart(next, "audit_log", "audit_log is now "+cmp.Or(next.AuditLog, "not set"))
	case a.file == nil:
		return nil, nil
	case was.AuditMaxSize.Bytes == 0 && next.AuditMaxSize.Bytes > 0 && next.Sandbox.Word != config.SandboxOff:
		return nil, needsRestart(next, "audit_max_size", "audit_max_size is now set")
	}
	return func() error {
		a.file.Set(auditRules(next))
		a.sign()
		a.sums.SetAlways(next.AuditSHA256.Word == config.AuditSHA256Always)
		return nil
	}, nil
}

func (a *auditing) close() { a.file.Close() }

// own records what the server itself does. The log has it in other words.
func (a *auditing) own(op string, err error) {
	a.file.Report(audit.ByServer(op, version(), err))
}

// errUnlooked is what the line of the stop says, so that the next server looks.
var errUnlooked = &vfs.Error{Kind: vfs.ErrCut, Why: "not all files were looked at that a crash may have left without a line; the next start does that"}

// recover writes the lines that are missing after a crash, until done is called.
func (s *server) recover(ctx context.Context, stop func()) (done func()) {
	ended, settings := make(chan struct{}), s.settings
	go func() {
		defer close(ended)
		if !recovery.Run(ctx, s.audit.gap, s.audit.file, settings, s.libraries.set, s.log) {
			s.audit.unlooked = errUnlooked
		}
	}()
	return func() { stop(); <-ended }
}

// report is told of each event. It fails only where an act that is not recorded
// is to be refused.
func (a *auditing) report(e sshd.Event) error {
	if a.file != nil {
		return a.file.Report(e)
	}
	logging.Event(a.log, e)
	return nil
}
