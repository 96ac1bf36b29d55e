package connect

import "fmt"

// Kind is what kind of error kept a person from a server.
type Kind int

// The kinds of errors.
const (
	Usage       Kind = iota // what was written, here or in ssh_config, cannot be followed
	Unreachable             // there is no connection, or no login in time
	Untrusted               // the host key is not trusted
	Refused                 // the server does not let the person in
)

// Error is an error of a kind.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func usageErrorf(format string, args ...any) error {
	return &Error{Usage, fmt.Errorf(format, args...)}
}
