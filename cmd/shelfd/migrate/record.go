package migrate

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// record is what runs have done, in a file: so that the next one need not read again
// what is as it was, and knows which files of TO it has made. It only spares work; if it
// is lost, contents are compared.
type record struct {
	file *os.File // nil if nothing is to be written

	mu    sync.Mutex
	known map[string]pair // by name
}

// pair is the versions of a file in FROM and in TO when they had the same content.
type pair struct{ From, To string }

// line is a line of the file, as JSON.
type line struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// openRecord opens the record of two libraries. Only one process may have it; dry is
// that it is only read.
func openRecord(state, what string, dry bool) (*record, error) {
	sum := sha256.Sum256([]byte(what))
	path := filepath.Join(state, "migrate", hex.EncodeToString(sum[:8]))
	r := &record{known: make(map[string]pair)}
	if dry {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read what was done before: %w", err)
		}
		defer f.Close()
		return r, r.read(f)
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		r.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("open the record of what was done before: %w", err)
	}
	if unix.Flock(int(r.file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		r.file.Close()
		return nil, errors.New("another shelfd migrate copies from this library to that one; wait until it has ended")
	}
	err = r.read(r.file)
	if err == nil {
		_, err = r.file.WriteString("\n") // the last line may have no end
	}
	if err != nil {
		r.file.Close()
		return nil, err
	}
	return r, nil
}

func (r *record) read(f *os.File) error {
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // it was not written to its end
		}
		r.known[l.Name] = pair{l.From, l.To}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read what was done before: %w", err)
	}
	return nil
}

// has tells of a file that both have whether an earlier run has made it, and whether
// both are as they were then.
func (r *record) has(from, to vfs.Info) (ours, same bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.known[from.Name]
	ours = ok && p.To == to.Version.String()
	return ours, ours && p.From == from.Version.String()
}

// done notes that both have the same content.
func (r *record) done(from, to vfs.Info) error {
	l := line{Name: from.Name, From: from.Version.String(), To: to.Version.String()}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[l.Name] = pair{l.From, l.To}
	if _, err := r.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("note what was done: %w", err)
	}
	return nil
}

func (r *record) close() {
	if r.file != nil {
		r.file.Close()
	}
}
