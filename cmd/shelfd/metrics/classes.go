package metrics

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"shelf/sshd"
	"shelf/vfs"
)

// other is the class of what has none of its own.
const other = "other"

// methods are those by which a login can be tried (RFC 4252, RFC 4256). A login
// that took several has them with commas.
func methods() []string { return []string{"publickey", "password", "keyboard-interactive"} }

// methodClass bounds what a client can call a method. "" is that it tried none.
func methodClass(method string) string {
	if method == "" {
		return "none"
	}
	steps := strings.Split(method, ",")
	for _, m := range steps {
		if !slices.Contains(methods(), m) && m != "none" {
			return other
		}
	}
	if len(steps) > 3 {
		return other
	}
	return method
}

// operations are those of events.
func operations() []string {
	return []string{"list", "get", "put", "hold", "digest", "receipt", "rename", "remove", "setstat", "versions", "restore", "expire", "mkdir", "rmdir", "symlink", "readlink",
		sshd.OpExec, sshd.OpShell, sshd.OpTerminal, sshd.OpSubsystem, sshd.OpForward, sshd.OpRequest,
		sshd.OpKicked, sshd.OpRevoked, sshd.OpExpired, sshd.OpRemoved}
}

func operationClass(op string) string {
	if slices.Contains(operations(), op) {
		return op
	}
	return other
}

// reasons are the classes of why something was refused or failed, and what makes
// one. The first that is so counts.
func reasons() []reason {
	return []reason{
		{"permission", fs.ErrPermission},
		{"not_found", fs.ErrNotExist},
		{"exists", fs.ErrExist},
		{"no_space", vfs.ErrNoSpace},
		{"too_large", vfs.ErrTooLarge},
		{"too_many", vfs.ErrTooMany},
		{"cut", vfs.ErrCut},
		{"name", vfs.ErrName},
		{"content", vfs.ErrContent},
		{"unsupported", vfs.ErrUnsupported},
		{"uncertain", vfs.ErrUncertain},
		{"unavailable", vfs.ErrUnavailable},
		{"bad_message", vfs.ErrBadMessage},
		{"bad_handle", vfs.ErrBadHandle},
		{"io", vfs.ErrIO},
	}
}

type reason struct {
	class string
	is    error
}

// reasonClass is "" for nil.
func reasonClass(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasons() {
		if errors.Is(err, r.is) {
			return r.class
		}
	}
	return other
}
