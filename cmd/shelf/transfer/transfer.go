// Package transfer moves files between this machine and a server, many in a
// command: get, put, sync and watch.
//
//	transfer.go  what a command needs: Mover, its options, and whom it tells
//	batch.go     many files, some at a time: progress, failures, the sum
//	retry.go     goes on after a lost connection
//	progress.go  how far one file is
//	events.go    what scripts are told
//	sizes.go     how large files are that have not begun, for the progress bar
//	get.go       downloads; part.go: the local file until it is whole
//	put.go       uploads; small.go: of small files; resume.go: what an earlier try left on the server
//	receipt.go   what the server says that it got
//	pipe.go      from stdin, and to stdout
//	sync.go      moves what one side has and the other lacks
//	leftout.go   what sync and watch leave out
//	watch.go     and then what comes into it; writers_*.go: is a file being written?
//	same.go      is a file here the same as one on the server? digests of files here
//	local.go     opens local files; system_*.go: what differs between systems
//
// It uses package sftp for the connection, and tells people and scripts what
// happens through [UI] and [Bar].
package transfer

import (
	"context"
	"time"

	"shelf/cmd/shelf/sftp"
)

// Mover moves files for one command.
type Mover struct {
	Options
	Server *sftp.Client
	Addr   string // of the server, as host:port
	UI     UI

	// Connect connects again after a lost connection. The next Server is its result.
	Connect func(context.Context) (*sftp.Client, error)

	retried int // how often it was called for Retry

	// Bars starts to show progress for so many files. It returns what makes the bar
	// of a file, which is nil if nothing is shown, and what ends all bars.
	Bars func(files int) (bar func(name string) Bar, end func())
}

// Options are the flags of a command.
type Options struct {
	Quiet    bool          // leave out what is only good to know
	Force    bool          // get: replace local files without asking
	Checksum bool          // compare digests, not only size and time
	DryRun   bool          // sync: only tell what would be moved
	TopOnly  bool          // sync: folders are left out on purpose
	Jobs     int           // how many files to move at a time
	Limit    int64         // bytes per second of all files together; 0 is no limit
	Retry    int           // how often to connect again after a lost connection
	Receipts string        // put: the folder here for receipts; "" is that none are wanted
	Settle   time.Duration // watch: how long a file must stay unchanged

	noLinks bool // of put: what came from a folder may be a link by now
}

// UI is who is told what happens. It makes what it prints safe for a terminal.
type UI interface {
	Sayf(format string, args ...any)    // what was done
	Warnf(format string, args ...any)   // what went wrong
	Detailf(format string, args ...any) // how it is done, if that is asked for
	Event(v any)                        // what scripts are told
	Size(bytes int64) string            // a number of bytes, for people

	// Confirm asks a question to answer with yes or no.
	Confirm(ctx context.Context, format string, args ...any) bool
}

// Bar shows how far a file is.
type Bar interface {
	Expect(size int64) // tells the size, also before it begins
	Begin(size int64)
	Add(n int64)  // bytes that were moved
	Skip(n int64) // bytes that need not be moved
	End()
}
