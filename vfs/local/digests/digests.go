// Package digests remembers the digests of files on local disks.
//
//	digests.go  Cache
//	file.go     its file, which outlives the server
//	writes_*.go writes through a mapping are noted
package digests

import (
	"context"
	"crypto"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// Cache remembers the digests of files, in memory and in a file, so that each
// version is read once for each algorithm. One serves all libraries.
//
// A digest is found again only for the same device, inode, size, mtime and
// ctime, in nanoseconds. Whatever changes content changes the ctime, which no
// program can set; but a change right after another may leave it as it was,
// since the clock of a file system has ticks. So nothing is remembered of a
// file that was changed just now.
type Cache struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	file  *digestFile                 // mu
	known map[digestKey]string        // mu
	order []digestKey                 // of known, the oldest first; mu
	busy  map[digesting]chan struct{} // closed when done; mu
}

// digesting is a digest that is being computed for an account. Others do not wait for
// it: that account may have to wait long for its turns.
type digesting struct {
	digestKey
	account string
}

// digestKey is one digest of one version of a file.
type digestKey struct {
	algorithm          crypto.Hash
	dev, ino           uint64
	size, mtime, ctime int64 // bytes; nanoseconds since 1970
}

// maxDigests bounds how many are remembered: some 6 MiB of memory.
const maxDigests = 1 << 15

// settled is how long ago a file must have changed before its digest is
// remembered: more than a tick of any file system's clock.
const settled = 2 * time.Second

// New remembers in the file path, which it makes when there is something
// to remember. What it cannot read or write there is logged and does no harm.
func New(path string, log *slog.Logger) *Cache {
	return &Cache{
		log: log, now: time.Now,
		file: &digestFile{path: path}, busy: make(map[digesting]chan struct{}),
	}
}

// Of is the digest of an open file.
func (d *Cache) Of(ctx context.Context, f *os.File, a crypto.Hash) ([]byte, error) {
	for {
		key, err := keyOf(f, a)
		if err != nil {
			return nil, err
		}
		at := digesting{key, vfs.TurnsOf(ctx).Name}
		sum, wait, done := d.take(at)
		switch {
		case sum != nil:
			return sum, nil
		case done != nil:
			defer d.release(at, done)
			return d.compute(ctx, f, key)
		}
		select {
		case <-wait:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil, &vfs.Error{Kind: vfs.ErrCut, Why: "the client is gone"}
		}
	}
}

// take is a digest that is known; or what to wait for, when it is computed for the same
// account; or, for who is to compute it, what to release.
func (d *Cache) take(key digesting) (sum []byte, wait <-chan struct{}, done chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.load()
	}
	if sum, ok := d.known[key.digestKey]; ok {
		return []byte(sum), nil, nil
	}
	if wait, ok := d.busy[key]; ok {
		return nil, wait, nil
	}
	done = make(chan struct{})
	d.busy[key] = done
	return nil, nil, done
}

func (d *Cache) release(key digesting, done chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, key)
	close(done)
}

// compute reads the file, and remembers the digest if what was read is for sure
// what the key stands for.
func (d *Cache) compute(ctx context.Context, f *os.File, key digestKey) ([]byte, error) {
	seeWrites(f)
	sum, err := vfs.ReadDigest(ctx, f, key.algorithm)
	if err != nil {
		return nil, vfs.SystemError("read", err)
	}
	after, err := keyOf(f, key.algorithm)
	if err == nil && after == key && d.now().Sub(time.Unix(0, key.ctime)) > settled {
		d.remember(key, string(sum))
	}
	return sum, nil
}

func (d *Cache) remember(key digestKey, sum string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(key, sum)
	if err := d.file.append(key, sum); err != nil {
		d.log.Warn("a digest was not saved", "err", err)
	}
	if d.file.lines > 2*maxDigests {
		d.warn("the digests were not tidied up", d.file.rewrite(d.order, d.known))
	}
}

// add makes room by forgetting the oldest; mu is held.
func (d *Cache) add(key digestKey, sum string) {
	if _, ok := d.known[key]; !ok {
		d.order = append(d.order, key)
	}
	d.known[key] = sum
	if len(d.order) > maxDigests {
		delete(d.known, d.order[0])
		d.order = d.order[1:]
	}
}

// load reads what was remembered before; mu is held.
func (d *Cache) load() {
	d.known = make(map[digestKey]string)
	d.warn("saved digests could not be read", d.file.load(d.add))
}

func (d *Cache) warn(what string, err error) {
	if err != nil {
		d.log.Warn(what, "err", err)
	}
}

// keyOf describes the version that is open.
func keyOf(f *os.File, a crypto.Hash) (digestKey, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return digestKey{}, vfs.SystemError("fstat", err)
	}
	return digestKey{
		algorithm: a, dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}, nil
}
