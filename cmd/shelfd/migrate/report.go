package migrate

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"shelf/vfs"
)

// outcome is what became of a file.
type outcome int

const (
	copied    outcome = iota
	asItWas           // TO has it already
	gone              // it was removed from FROM meanwhile
	onlyThere         // only TO has it
	stranger          // it lies in the folder of FROM and is no file of a library
	another           // TO had another one of that name
	failed
	outcomes // how many there are
)

// report tells what a run does.
type report struct {
	out, faults  io.Writer
	verbose, dry bool

	mu    sync.Mutex
	files [outcomes]int64
	bytes [outcomes]int64
}

// count notes what became of a file.
func (r *report) count(what outcome, name string, size int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = vfs.Escape(name)
	switch {
	case err != nil:
		what = failed
		fmt.Fprintf(r.faults, "%s: %v\n", name, err)
	case what == another:
		fmt.Fprintf(r.faults, "%s: TO has another file of that name, which is left alone; --replace takes the one of FROM\n", name)
	case what == copied && r.verbose:
		fmt.Fprintf(r.out, "%s\n", name)
	case what == stranger && r.verbose:
		fmt.Fprintf(r.out, "%s is not copied: it is a folder or a link, or its name is none that clients can say\n", name)
	case what == onlyThere && r.verbose:
		fmt.Fprintf(r.out, "%s is in TO alone\n", name)
	}
	r.files[what]++
	r.bytes[what] += size
}

// resumed says that an upload goes on where it was cut.
func (r *report) resumed(name string, off int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%s goes on after %d bytes\n", vfs.Escape(name), off)
}

// end tells what was done; whole is that all files were looked at. The error is that
// files are missing.
func (r *report) end(whole bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := "copied and verified"
	if r.dry {
		first = "to be copied"
	}
	for what, text := range [outcomes]string{first, "there already", "removed from FROM meanwhile", "in TO alone", "no file of a library", "others in TO, left alone", "failed"} {
		if n := r.files[what]; n > 0 || what == int(copied) {
			fmt.Fprintf(r.out, "%-28s %s, %d bytes\n", text, files(n), r.bytes[what])
		}
	}
	if n := r.files[failed] + r.files[another]; n > 0 && whole {
		return fmt.Errorf("of FROM %s could not be copied to TO", files(n))
	}
	return nil
}

func files(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// tellMeanwhile tells each minute how far a long run is, until ctx ends.
func (r *report) tellMeanwhile(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.mu.Lock()
			fmt.Fprintf(r.out, "so far: %s, %d bytes\n", files(r.files[copied]+r.files[asItWas]), r.bytes[copied]+r.bytes[asItWas])
			r.mu.Unlock()
		}
	}
}
