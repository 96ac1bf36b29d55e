package sftp

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"io"
	"math"
	"strings"

	"shelf/vfs"
	"shelf/vfs/access"
)

// Extensions beside those of frame.go that serve a client: expand-path is what
// scp needs for a path that starts with "~", copy-data is how sftp and WinSCP
// copy a file within the library, and check-file how paramiko and WinSCP compare
// a file without fetching it (draft-ietf-secsh-filexfer-extensions-00).
const (
	extExpandPath    = "expand-path@openssh.com"
	extCopyData      = "copy-data"
	extCheckFile     = "check-file"      // on a handle, as paramiko asks
	extCheckFileName = "check-file-name" // by name, as WinSCP asks
)

// extensions are those that VERSION announces, each with its version: exactly
// what works with this library.
func (s *Session) extensions() [][2]string {
	library := s.access.Properties()
	var all [][2]string
	for _, ext := range []struct {
		works         bool
		name, version string
	}{
		{library.AtomicRename, extPosixRename, "1"},
		{s.access.KnowsSpace(), extStatVFS, "2"},
		{library.Fsync, extFsync, "1"},
		{true, extLimits, "1"},
		{true, extExpandPath, "1"},
		{true, extCopyData, "1"},
		{true, extCheckFile, "1"},
	} {
		if ext.works {
			all = append(all, [2]string{ext.name, ext.version})
		}
	}
	return all
}

// expandPath answers expand-path@openssh.com, a REALPATH to which "~" and the
// account's own "~name" are the folder that a client starts from. Of others there is no home: their "~"
// is part of a name.
func (s *Session) expandPath(f *frame, r *reply, body []byte) error {
	path, _, err := cutString(body)
	if err != nil {
		return err
	}
	expanded := string(path)
	if home, rest, _ := strings.Cut(expanded, "/"); home == "~" || home == "~"+s.access.Account() {
		expanded = s.access.Start() + "/" + rest
	}
	b := appendString(make([]byte, headerLen, headerLen+4+len(expanded)), expanded)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	b[4] = byte(fxpRealpath)
	binary.BigEndian.PutUint32(b[5:], f.id)
	return s.names.ask(&frame{buffer: buffer{b: b}}, r)
}

// copyData does copy-data: handle, uint64 offset, uint64 length (0 is to the
// end), handle to write, uint64 offset there.
func (s *Session) copyData(body []byte) error {
	from, rest, err := s.handleOf(body, 16)
	if err != nil {
		return err
	}
	off, length := binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:])
	to, rest, err := s.handleOf(rest[16:], 8)
	if err != nil {
		return err
	}
	p, err := to.upload()
	switch {
	case err != nil:
		return err
	case from == to:
		return &vfs.Error{Kind: vfs.ErrBadHandle, Why: "a file cannot be copied onto itself"}
	case off > math.MaxInt64 || length > math.MaxInt64:
		return &vfs.Error{Kind: vfs.ErrTooLarge, Why: "no file is that long"}
	}
	i, err := from.stat()
	if err != nil {
		return err
	}
	// Stop at the size of now: source and target may be one file, and the copy
	// would never end.
	if end := max(0, i.Size-int64(off)); length == 0 || int64(length) > end {
		length = uint64(end)
	}
	return s.copyRange(p, int64(binary.BigEndian.Uint64(rest)), from, int64(off), int64(length))
}

// copyRange copies up to length bytes, fewer where the file ends.
func (s *Session) copyRange(p *access.Writer, to int64, h *handle, from, length int64) error {
	buffer := s.o.Buffers.get(maxData)
	defer buffer.release()
	for length > 0 {
		if s.ctx.Err() != nil {
			return &vfs.Error{Kind: vfs.ErrCut, Why: "the client is gone"}
		}
		n, err := h.readAt(buffer.b[:min(length, maxData)], uint64(from))
		if n > 0 {
			if _, err := p.WriteAt(buffer.b[:n], to); err != nil {
				return err
			}
		}
		from, to, length = from+int64(n), to+int64(n), length-int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkFile answers check-file and check-file-name.
func (s *Session) checkFile(f *frame, r *reply, ext string, body []byte) {
	what, a, err := parseCheckFile(body)
	var sum []byte
	switch {
	case err != nil:
	case ext == extCheckFileName:
		sum, err = s.access.Digest(what, a.Hash)
	default:
		sum, err = s.handleDigest(what, a.Hash)
	}
	if err != nil {
		s.status(r, f, nil, err)
		return
	}
	r.digest(f.id, ext, a.Name, sum)
}

// parseCheckFile reads handle or path, string algorithms, uint64 offset, uint64
// length (0 is to the end) and uint32 block size (0 is no blocks). Digests are
// of whole files: no client asks for less unless it is programmed to.
func parseCheckFile(body []byte) (what string, a vfs.Algorithm, err error) {
	first, rest, err := cutString(body)
	if err != nil {
		return "", a, err
	}
	names, rest, err := cutString(rest)
	switch {
	case err != nil:
		return "", a, err
	case len(rest) < 20:
		return "", a, &vfs.Error{Kind: vfs.ErrBadMessage, Why: "the packet is too short"}
	case !bytes.Equal(rest[:20], make([]byte, 20)):
		return "", a, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "digests are of whole files here"}
	}
	a, err = chooseAlgorithm(string(names))
	return string(first), a, err
}

// chooseAlgorithm is the first of the client's, joined by commas, that is known.
func chooseAlgorithm(names string) (vfs.Algorithm, error) {
	for name := range strings.SplitSeq(names, ",") {
		for _, a := range vfs.Algorithms() {
			if a.Name == name {
				return a, nil
			}
		}
	}
	return vfs.Algorithm{}, &vfs.Error{Kind: vfs.ErrUnsupported, Why: "that digest is not known here; md5, sha1, sha256 and sha512 are"}
}

// handleDigest is that of a file which is open for reading, or of what an
// upload would publish now: a client that
// resumes an upload asks for it.
func (s *Session) handleDigest(id string, a crypto.Hash) ([]byte, error) {
	switch h := s.open[id]; {
	case h == nil:
	case h.get != nil:
		return h.get.Digest(a)
	case h.put != nil && h.put.Readable():
		return h.put.Digest(a)
	}
	return nil, notForReading()
}
