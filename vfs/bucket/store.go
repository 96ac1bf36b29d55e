package bucket

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"shelf/vfs"
)

// store is the bucket as a client of S3 sees it.
type store struct {
	client  *s3.Client
	working *s3.Client // for calls in which the store says nothing while it works
	bucket  string
	prefix  string // of all keys; "" or with "/" at its end
	o       *Options
	timeout time.Duration // of a call without a body
	idle    func()        // closes connections that wait
	perPage int32         // versions in a page of a list
}

func (s *store) close() { s.idle() }

// The bounds of trying: how often, and how long to wait between two tries. With the
// waits, a store that is away for some seconds is waited for.
const (
	maxTries  = 8
	firstWait = 50 * time.Millisecond
	maxWait   = 3 * time.Second
)

// An outcome is what can be said of a call that failed.
type outcome struct {
	err error
	// unsure: a try may have been done although its answer was lost.
	unsure bool
}

// try makes a call until it succeeds or is refused, or has been tried often enough.
func (s *store) try(ctx context.Context, call func(context.Context) error) error {
	return s.tryTo(ctx, call).err
}

// tryTo is try for a call that changes something.
func (s *store) tryTo(ctx context.Context, call func(context.Context) error) outcome {
	return s.tryUntil(ctx, false, call)
}

// tryUntil is tryTo; with untilLost a call whose answer was lost is not made again.
func (s *store) tryUntil(ctx context.Context, untilLost bool, call func(context.Context) error) (out outcome) {
	wait := firstWait
	for n := 1; ; n++ {
		out.err = call(ctx)
		if out.err == nil {
			return outcome{}
		}
		verdict := verdictOf(out.err)
		out.unsure = out.unsure || verdict == lost
		if verdict == refused || verdict == lost && untilLost || n == maxTries || ctx.Err() != nil {
			return out
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return out
		}
		wait = min(2*wait, maxWait)
	}
}

// brief is the ctx of a call without a body, which is answered soon.
func (s *store) brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// verdict is what the error of a call tells of the call.
type verdict int

const (
	refused verdict = iota // not done, and it is no use to try again
	notDone                // not done; another try may succeed
	lost                   // nobody knows; another try may succeed
)

// verdictOf reads an error of the store or of the way to it.
func verdictOf(err error) verdict {
	switch status(err) {
	case 0:
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			return notDone
		}
		if errors.Is(err, errLocal) {
			return refused
		}
		return lost
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusRequestTimeout:
		return notDone
	case http.StatusConflict:
		return notDone // ConditionalRequestConflict: two at once
	case http.StatusBadRequest:
		if code(err) == "RequestTimeout" {
			return notDone
		}
		return refused
	}
	if s := status(err); s >= 400 && s < 500 || s == http.StatusNotImplemented {
		return refused
	}
	return lost // a server error, or an answer that was cut
}

// errLocal is a fault on this side, such as of the disk that a body is read from.
var errLocal = errors.New("local fault")

// status is that of the HTTP answer; 0 is none.
func status(err error) int {
	if e := (*smithyhttp.ResponseError)(nil); errors.As(err, &e) && e.Response != nil && e.Response.Response != nil {
		return e.HTTPStatusCode()
	}
	return 0
}

// code is the store's own word for an error, or "".
func code(err error) string {
	if e := smithy.APIError(nil); errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// isGone tells of an object that is not there.
func isGone(err error) bool {
	return status(err) == http.StatusNotFound && code(err) != "NoSuchBucket" && code(err) != "NoSuchUpload"
}

// isUnmet tells of a condition that the object did not meet.
func isUnmet(err error) bool {
	return status(err) == http.StatusPreconditionFailed || errors.Is(err, errMoved)
}

// isNoUpload tells of a multipart upload that is not there.
func isNoUpload(err error) bool { return code(err) == "NoSuchUpload" }

// failure turns the error of a call into one of the contract.
func failure(what string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*vfs.Error)(nil); errors.As(err, &e) {
		return err
	}
	cause := &callError{what, err}
	switch {
	case errors.Is(err, context.Canceled):
		return cause
	case isGone(err):
		return vfs.NotExist()
	case isUnmet(err):
		return &vfs.Error{Kind: fs.ErrExist, Why: "a file of that name exists", Err: cause}
	case status(err) == http.StatusForbidden, status(err) == http.StatusUnauthorized:
		return &vfs.Error{Kind: vfs.ErrIO, Why: "the store does not let the server do that; its operator has to look at the log", Err: cause}
	case code(err) == "EntityTooLarge":
		return &vfs.Error{Kind: vfs.ErrTooLarge, Why: "the file is larger than the store allows", Err: cause}
	case status(err) == http.StatusInsufficientStorage, code(err) == "QuotaExceeded":
		return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the store is full", Err: cause}
	case verdictOf(err) != refused:
		return &vfs.Error{Kind: vfs.ErrUnavailable, Err: cause}
	case errors.Is(err, errLocal):
		return vfs.DiskFailed(cause)
	}
	return &vfs.Error{Kind: vfs.ErrIO, Why: "the store failed", Err: cause}
}

// callError is the error of a call to the store, for the log.
type callError struct {
	what string
	err  error
}

// Error implements error.
func (e *callError) Error() string { return e.what + ": " + e.err.Error() }

// Unwrap lets errors.Is find a context's error.
func (e *callError) Unwrap() error { return e.err }
