package digests

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"shelf/vfs/local/dirfd"
)

// digestFile is where digests outlive the server: a line each, added at the
// end. A line is its CRC-32, the algorithm, device, inode, size, mtime, ctime
// and the digest:
//
//	8bd69e52 5 2049 131 6 1700000000000000000 1700000000000000000 b1946ac9...
//
// A line that was torn, or is wrong in any other way, is passed over. Nothing is
// synced: what a crash takes is computed again. Several servers may add to it.
type digestFile struct {
	path  string
	f     *os.File // to append; nil until then
	lines int
}

// maxDigestLine is longer than any line, in bytes.
const maxDigestLine = 512

// load passes on what is in the file, in its order.
func (d *digestFile) load(add func(digestKey, string)) error {
	f, err := os.Open(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// More than this many bytes we did not write.
	lines := bufio.NewScanner(io.LimitReader(f, 4*maxDigests*maxDigestLine))
	lines.Buffer(nil, maxDigestLine)
	for lines.Scan() {
		if lines.Text() != "" {
			d.lines++
		}
		if key, sum, ok := parseDigest(lines.Text()); ok {
			add(key, sum)
		}
	}
	if lines.Err() != nil {
		d.lines = 2 * maxDigests // not ours any more: write it anew soon
	}
	return lines.Err()
}

func (d *digestFile) append(key digestKey, sum string) error {
	line := formatDigest(key, sum) + "\n"
	if d.f != nil && dirfd.IsRemoved(d.f) {
		d.f.Close() // another server has written the file anew
		d.f = nil
	}
	if d.f == nil {
		f, err := os.OpenFile(d.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		d.f, line = f, "\n"+line // what a crash left torn stays a line of its own
	}
	d.lines++
	_, err := d.f.WriteString(line)
	return err
}

// rewrite replaces the file by one with these digests alone.
func (d *digestFile) rewrite(order []digestKey, known map[digestKey]string) error {
	d.lines = len(order) // if this fails, that is not tried again at once
	next := d.path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, key := range order {
		fmt.Fprintln(w, formatDigest(key, known[key]))
	}
	if err := errors.Join(w.Flush(), os.Rename(next, d.path)); err != nil {
		return errors.Join(err, f.Close())
	}
	if d.f != nil {
		d.f.Close()
	}
	d.f = f
	return nil
}

func formatDigest(k digestKey, sum string) string {
	line := fmt.Sprintf("%d %d %d %d %d %d %x", uint(k.algorithm), k.dev, k.ino, k.size, k.mtime, k.ctime, sum)
	return fmt.Sprintf("%08x %s", crc32.ChecksumIEEE([]byte(line)), line)
}

// parseDigest reads a line back; ok is false unless it is exactly what was
// written.
func parseDigest(line string) (k digestKey, sum string, ok bool) {
	var crc uint32
	var bytes []byte
	_, err := fmt.Sscanf(line, "%08x %d %d %d %d %d %d %x", &crc, (*uint)(&k.algorithm), &k.dev, &k.ino, &k.size, &k.mtime, &k.ctime, &bytes)
	return k, string(bytes), err == nil && formatDigest(k, string(bytes)) == line
}
