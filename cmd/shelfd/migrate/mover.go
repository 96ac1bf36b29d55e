package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"shelf/vfs"
)

// mover copies files of one library into another.
type mover struct {
	options
	from, to vfs.Library
	folder   string // of FROM; "" if it is in a bucket
	owner    string // of uploads
	known    *record
	report   *report
	large    sync.Mutex // held while a large file is copied
}

// largeFrom is from which size on files are copied one after the other, in bytes: such
// an upload is sent in parts, of which some go at a time, and takes much of the spool.
const largeFrom = 64 << 20

// all copies all files. The error is that it had to end early.
func (m *mover) all(ctx context.Context) error {
	goesOn, stop := context.WithCancel(ctx)
	defer stop()
	go m.report.tellMeanwhile(goesOn)
	names := make(chan string)
	var workers sync.WaitGroup
	for range m.jobs {
		workers.Go(func() {
			for name := range names {
				m.one(ctx, name)
			}
		})
	}
	seen, err := m.list(ctx, names)
	close(names)
	workers.Wait()
	if err == nil {
		err = errors.Join(m.others(ctx, seen), m.strangers(seen))
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("it was stopped; run it again to go on")
	}
	return err
}

// list hands out the names of all files, and remembers them.
func (m *mover) list(ctx context.Context, names chan<- string) (seen map[string]bool, err error) {
	seen = make(map[string]bool)
	for i, err := range m.from.List(ctx) {
		if err != nil {
			return seen, fmt.Errorf("list FROM: %w", err)
		}
		seen[i.Name] = true
		select {
		case names <- i.Name:
		case <-ctx.Done():
			return seen, ctx.Err()
		}
	}
	return seen, nil
}

// others counts the files that TO alone has.
func (m *mover) others(ctx context.Context, seen map[string]bool) error {
	for i, err := range m.to.List(ctx) {
		if err != nil {
			return fmt.Errorf("list TO: %w", err)
		}
		if !seen[i.Name] {
			m.report.count(onlyThere, i.Name, i.Size, nil)
		}
	}
	return nil
}

// strangers counts what lies in the folder of FROM and is no file of a library.
func (m *mover) strangers(seen map[string]bool) error {
	if m.folder == "" {
		return nil
	}
	folder, err := os.Open(m.folder)
	if err != nil {
		return err
	}
	defer folder.Close()
	for {
		some, err := folder.ReadDir(1000)
		for _, e := range some {
			if !seen[e.Name()] && e.Name() != ".shelf" {
				m.report.count(stranger, e.Name(), 0, nil)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
