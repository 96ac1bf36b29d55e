package vfs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// An Event is one thing that an account did or was refused, reported when it has
// ended.
type Event struct {
	Op       string        // "list", "get", "put", "hold", "digest", "receipt", "rename", "remove", "setstat", "versions", "restore" or "expire"
	Library  string        // in which library; "" is not known
	Name     string        // as the client sent it, unescaped; "" for list
	Target   string        // the new name of a rename
	Bytes    int64         // read or written by the client
	Start    time.Time     // when it began
	Duration time.Duration // until it ended
	Err      error         // nil if it was done

	File     *Content // what was read or, by an upload or rename, published; nil if not known
	Replaced *Content // what had the name before; nil is nothing, or not known
	New      bool     // nothing had the name before
	Gate     string   // what became of it at the gate, one of these words; "" is that none was asked
	Held     string   // the id under which the gate keeps an upload until its verdict, or has kept it
	Set      Attr     // what a setstat was to set
	Restored string   // which old version was asked for, as the client sent it
	Unserved bool     // there is no such thing in a library, such as a folder
	Durable  bool     // what was done survives a power cut, and so must its line
}

// Content is what is known of the content of a file.
type Content struct {
	Size    int64 // bytes
	SHA256  []byte
	Version Version
}

// The words of [Event.Gate].
const (
	GatePassed    = "passed"
	GateRefused   = "refused"
	GateUnchecked = "unchecked" // let in though nobody has judged it, or not all of it
	GateReleased  = "released"  // let in by an operator, after it was refused
	GateFailed    = "failed"    // not let in, since nobody could judge it
	GateHeld      = "held"      // kept until it is judged, and seen by nobody
)

// The results of operations, as [ResultOf] tells them.
const (
	ResultOK        = "ok"
	ResultRefused   = "refused"   // by a rule or limit, or since there is no such file
	ResultFailed    = "failed"    // the server or its disk did
	ResultCut       = "cut"       // the client went before it was done
	ResultUncertain = "uncertain" // [ErrUncertain]
)

// ResultOf is what an error says of an operation.
func ResultOf(err error) string {
	switch {
	case err == nil:
		return ResultOK
	case errors.Is(err, ErrUncertain):
		return ResultUncertain
	case errors.Is(err, ErrCut), errors.Is(err, context.Canceled):
		return ResultCut
	case errors.Is(err, ErrIO), errors.Is(err, ErrUnavailable):
		return ResultFailed
	}
	var known *Error
	if errors.As(err, &known) {
		return ResultRefused
	}
	return ResultFailed
}

// Escape writes control characters, and what is not UTF-8, as a Go literal does,
// so that a text of a client can forge no line and steer no terminal. If there are
// any it escapes backslashes too, so that both can be told apart.
func Escape(text string) string {
	plain := func(r rune) bool { return r >= ' ' && r <= '~' || unicode.IsPrint(r) && r != unicode.ReplacementChar }
	if !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// maxEventText is how much of a text of a client an event has, in bytes: any name
// that a file can have, and no more.
const maxEventText = 256

// Clip shortens a text of a client for an event or a log, and tells how long it was.
func Clip(text string) string { return ClipTo(text, maxEventText) }

// ClipTo is [Clip] for texts of more than most bytes.
func ClipTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:most], ""), len(text))
}
