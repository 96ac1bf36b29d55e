package vfs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

// handlers are the four handlers of the RequestServer and hold all policy: what
// exists, who may do what. They run one at a time, while the session waits.
type handlers struct {
	ctx      context.Context
	o        *SessionOptions
	reasons  *reasons
	openAttr Attr                // of the OPEN being served; pkg/sftp drops it
	opened   handle              // what the OPEN being served opened
	pending  map[string]*putting // this session's uploads, by name
	uploaded map[string]any      // what this session published: name to FileInfo.Sys

	replacing string // a file that RENAME is to replace: see announcesReplace
}

func newHandlers(ctx context.Context, o *SessionOptions, r *reasons) *handlers {
	return &handlers{ctx: ctx, o: o, reasons: r, pending: make(map[string]*putting), uploaded: make(map[string]any)}
}

// name turns a path, which pkg/sftp has made absolute and clean, into a name of
// the library. The root is "".
func name(path string) (string, error) {
	n := strings.TrimPrefix(path, "/")
	if strings.Contains(n, "/") {
		return n, notExist()
	}
	return n, nil
}

// fileName is name for what must be a file.
func fileName(path string) (string, error) {
	n, err := name(path)
	if err == nil && n == "" {
		err = denied("that is the library itself")
	}
	return n, err
}

// status is what the client reads of err, which is also put on stderr with its
// reason and, if it is the server's fault, in the log.
func (h *handlers) status(op, name string, err error) (code uint32, msg string) {
	code, msg = statusOf(err)
	if code == fxOK || code == fxEOF {
		return code, msg
	}
	if e := (*Error)(nil); !errors.As(err, &e) || e.Err != nil {
		h.o.Log.Error("operation failed", "operation", op, "name", name, "error", err)
	}
	if code != fxNoSuchFile {
		h.reasons.say(op, name, msg)
	}
	return code, msg
}

// refuse is status for what goes through pkg/sftp.
func (h *handlers) refuse(op, name string, err error) error {
	if err == nil {
		return nil
	}
	code, msg := h.status(op, name, err)
	return statusError{code, msg}
}

func (h *handlers) logPanic(p any) {
	h.o.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// errPanic is what a client reads when a request panicked.
func errPanic() error {
	return &Error{Kind: ErrIO, Why: "the server failed; the request was not done"}
}
