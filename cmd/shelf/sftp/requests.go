package sftp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// The requests of SFTP as methods. Paths are those of the server.

func (c *channel) open(ctx context.Context, path string, flags uint32) (handle string, err error) {
	return c.handle(ctx, fxpOpen, newPacket(len(path)+12).string(path).uint32(flags).uint32(0))
}

func (c *channel) handle(ctx context.Context, kind byte, p packet) (string, error) {
	r, err := c.do(ctx, kind, p, fxpHandle)
	if err != nil {
		return "", err
	}
	const longest = 256 // of a handle, section 6.2
	h := r.string()
	if len(h) > longest {
		return "", errMalformed
	}
	return h, r.fault()
}

func (c *channel) close(ctx context.Context, handle string) error {
	return c.status(ctx, fxpClose, newPacket(len(handle)+4).string(handle))
}

// status sends a request that is always answered by STATUS.
func (c *channel) status(ctx context.Context, kind byte, p packet) error {
	_, err := c.do(ctx, kind, p, fxpStatus)
	return err
}

func (c *channel) stat(ctx context.Context, path string) (Attrs, error) {
	return c.attrs(ctx, fxpStat, newPacket(len(path)+4).string(path))
}

func (c *channel) fstat(ctx context.Context, handle string) (Attrs, error) {
	return c.attrs(ctx, fxpFstat, newPacket(len(handle)+4).string(handle))
}

func (c *channel) attrs(ctx context.Context, kind byte, p packet) (Attrs, error) {
	r, err := c.do(ctx, kind, p, fxpAttrs)
	if err != nil {
		return Attrs{}, err
	}
	a := r.attrs()
	return a, r.fault()
}

// setSize cuts an open file, or makes it longer.
func (c *channel) setSize(ctx context.Context, handle string, n int64) error {
	return c.status(ctx, fxpFsetstat, newPacket(len(handle)+16).string(handle).size(n))
}

func (c *channel) remove(ctx context.Context, path string) error {
	return c.status(ctx, fxpRemove, newPacket(len(path)+4).string(path))
}

// rename gives a file another name, unless a file has that name.
func (c *channel) rename(ctx context.Context, from, to string) error {
	return c.status(ctx, fxpRename, newPacket(len(from)+len(to)+8).string(from).string(to))
}

const posixRename = "posix-rename@openssh.com"

// replace gives a file another name, and removes a file that has that name.
func (c *channel) replace(ctx context.Context, from, to string) error {
	p := newPacket(len(posixRename) + len(from) + len(to) + 12).string(posixRename).string(from).string(to)
	return c.status(ctx, fxpExtended, p)
}

func (c *channel) realpath(ctx context.Context, path string) (string, error) {
	r, err := c.do(ctx, fxpRealpath, newPacket(len(path)+4).string(path), fxpName)
	if err != nil {
		return "", err
	}
	if n := r.uint32(); n != 1 {
		return "", errMalformed
	}
	name := r.string()
	return name, r.fault()
}

// read asks for len(into) bytes at offset. See got.
func (c *channel) read(handle string, offset int64, into []byte) (*call, error) {
	p := newPacket(len(handle) + 16).string(handle).uint64(uint64(offset)).uint32(uint32(len(into)))
	return c.send(fxpRead, p, into)
}

// got waits for the data of a READ and returns its length; io.EOF means the end of
// the file.
func (c *channel) got(ctx context.Context, q *call) (int, error) {
	if err := c.wait(ctx, q); err != nil {
		return 0, err
	}
	if q.kind == fxpData {
		if q.n == 0 {
			return 0, fmt.Errorf("%w: no data, and no end of the file", errMalformed)
		}
		return q.n, nil
	}
	_, err := q.expect(fxpData)
	return 0, err
}

// The longest listing that is taken: more than a folder is likely to have, and no
// more than a machine can hold.
const (
	mostNames     = 1_000_000
	mostNameBytes = 128 << 20
)

// list reads a folder.
func (c *channel) list(ctx context.Context, path string) (all []Entry, err error) {
	h, err := c.handle(ctx, fxpOpendir, newPacket(len(path)+4).string(path))
	if err != nil {
		return nil, err
	}
	defer c.send(fxpClose, newPacket(len(h)+4).string(h), nil)
	for n := 0; ; {
		some, bytes, err := c.readdir(ctx, h)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		n += bytes
		if all = append(all, some...); len(all) > mostNames || n > mostNameBytes {
			return nil, fmt.Errorf("the server lists more than %d names, which is too many", len(all))
		}
	}
}

// readdir reads some entries, and tells how many bytes their names have.
func (c *channel) readdir(ctx context.Context, handle string) (some []Entry, bytes int, err error) {
	r, err := c.do(ctx, fxpReaddir, newPacket(len(handle)+4).string(handle), fxpName)
	if err != nil {
		return nil, 0, err
	}
	n := r.uint32()
	for ; n > 0 && !r.bad; n-- {
		e := Entry{Name: r.string()}
		r.string() // a line as of ls, in a form of the server's own
		e.Attrs = r.attrs()
		some, bytes = append(some, e), bytes+len(e.Name)
	}
	if len(some) == 0 {
		return nil, 0, fmt.Errorf("%w: a listing without names", errMalformed)
	}
	return some, bytes, r.fault()
}

const checkFile = "check-file"

// checkFile asks for the SHA-256 of an open file of n bytes
// (draft-ietf-secsh-filexfer-extensions-00 section 3), which takes a while.
func (c *channel) checkFile(ctx context.Context, handle string, n int64) (string, error) {
	if _, ok := c.extensions[checkFile]; !ok {
		return "", errNoDigest
	}
	const algorithm = "sha256"
	defer c.bePatient(diskTime(n))()
	p := newPacket(len(checkFile) + len(handle) + len(algorithm) + 32).string(checkFile)
	r, err := c.do(ctx, fxpExtended, p.string(handle).string(algorithm).uint64(0).uint64(0).uint32(0), fxpExtendedReply)
	if err != nil {
		return "", err
	}
	r.string() // the name of the extension
	if r.string() != algorithm || r.bad || len(r.rest) != sha256.Size {
		return "", errNoDigest
	}
	return hex.EncodeToString(r.rest), nil
}

// Space is how much room a server has, in bytes.
type Space struct{ Total, Free uint64 }

const statvfs = "statvfs@openssh.com"

func (c *channel) space(ctx context.Context, path string) (Space, error) {
	if _, ok := c.extensions[statvfs]; !ok {
		return Space{}, errors.New("this server does not tell: it has no " + statvfs)
	}
	r, err := c.do(ctx, fxpExtended, newPacket(len(statvfs)+len(path)+8).string(statvfs).string(path), fxpExtendedReply)
	if err != nil {
		return Space{}, err
	}
	r.uint64() // the best block size for reading
	unit, blocks := r.uint64(), r.uint64()
	r.uint64() // free for root
	return Space{Total: blocks * unit, Free: r.uint64() * unit}, r.fault()
}
