package gate

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Scanner is a program that judges files. It is safe for concurrent use.
type Scanner interface {
	// Scan has it look at a file, which is open for reading alone and at its
	// beginning. An error is that there is no verdict.
	Scan(ctx context.Context, about File, file *os.File) (Verdict, error)

	// Ping tells whether it answers, and what it says of itself.
	Ping(ctx context.Context) (string, error)
}

// File is what a scanner is told of a file.
type File struct {
	Name    string `json:"name"` // that it would get
	Size    int64  `json:"size"` // bytes
	Library string `json:"library"`
	Account string `json:"account"`
}

// Verdict is what a scanner says of a file.
type Verdict struct {
	Refused bool   `json:"refused,omitempty"`
	Partly  bool   `json:"partly,omitempty"` // it has not looked at all of it
	Reason  string `json:"reason,omitempty"` // not to be trusted
}

// The kinds of scanners.
const (
	Clamd  = "clamd"
	Socket = "socket"
)

// Address is where a scanner is: its kind, and the path of its unix socket.
type Address struct{ Kind, Path string }

// String is the form of [ParseAddress].
func (a Address) String() string { return a.Kind + ":" + a.Path }

// ParseAddress reads "clamd:/path" or "socket:/path".
func ParseAddress(text string) (Address, error) {
	kind, path, _ := strings.Cut(text, ":")
	if kind != Clamd && kind != Socket || path == "" {
		return Address{}, fmt.Errorf("%q is no address of a scanner", text)
	}
	return Address{kind, path}, nil
}

// Scanner is the scanner there.
func (a Address) Scanner() Scanner {
	if a.Kind == Clamd {
		return clamd{a.Path}
	}
	return program{a.Path}
}
