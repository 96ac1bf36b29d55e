package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"shelf/cmd/shelf/sftp"
)

// part is the local file that a download goes to until it is whole. It is in the
// same folder, under a name made from what is downloaded, so that the next try finds
// it. It is written in order, so what it holds is the beginning of the file.
type part struct {
	*os.File
	root *os.Root
	name string // of the part
	size int64  // bytes that it holds already
}

const partSuffix = ".part"

// partName has a first half for the file, and a second half for its version.
func partName(server, path string, version sftp.Attrs) string {
	half := func(format string, args ...any) string {
		sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
		return hex.EncodeToString(sum[:8])
	}
	return sftp.HiddenPrefix + half("%s\x00%s", server, path) + "-" + half("%d\x00%d", version.Size, version.Modified.Unix()) + partSuffix
}

// openPart opens the part of a file, and removes the parts of its other versions,
// which are among all.
func openPart(root *os.Root, name string, all []string) (*part, error) {
	removeOtherParts(root, name, all)
	f, err := root.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	p := &part{File: f, root: root, name: name}
	if err := p.check(); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// check makes sure that no other shelf uses the part, and that its name still means
// this file: another shelf may just have finished it, or somebody may have put a
// link there.
func (p *part) check() error {
	if err := lock(p.File); err != nil {
		return errors.New("another shelf is downloading it right now")
	}
	opened, err := p.Stat()
	if err != nil {
		return err
	}
	named, err := p.root.Lstat(p.name)
	if err != nil || !named.Mode().IsRegular() || !os.SameFile(named, opened) {
		return fmt.Errorf("%s, the name for the unfinished file, is taken by something else", p.name)
	}
	p.size = opened.Size()
	return nil
}

// removeOtherParts removes parts of other versions, unless another shelf is writing
// one.
func removeOtherParts(root *os.Root, name string, all []string) {
	same := name[:strings.LastIndexByte(name, '-')+1]
	for _, other := range all {
		if !strings.HasPrefix(other, same) || other == name {
			continue
		}
		if i, err := root.Lstat(other); err != nil || !i.Mode().IsRegular() {
			continue // opening a FIFO would wait for a writer
		}
		if f, err := root.Open(other); err == nil {
			if lock(f) == nil {
				root.Remove(other)
			}
			f.Close()
		}
	}
}

// partsIn lists the parts in a folder.
func partsIn(root *os.Root) (all []string) {
	dir, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1000)
		for _, n := range names {
			if strings.HasPrefix(n, sftp.HiddenPrefix) && strings.HasSuffix(n, partSuffix) {
				all = append(all, n)
			}
		}
		if err != nil {
			return all
		}
	}
}

// keepFirst drops all but the first n bytes and goes to their end.
func (p *part) keepFirst(n int64) error {
	if err := p.Truncate(n); err != nil {
		return err
	}
	_, err := p.Seek(n, io.SeekStart)
	p.size = n
	return err
}

// become gives a whole file its time and its name. Unless replace is set, it does
// not replace a file that has the name by now.
func (p *part) become(name string, age time.Time, replace bool) error {
	if runtime.GOOS == "windows" { // an open file cannot be renamed there
		p.Close()
	}
	defer p.Close()
	if !age.IsZero() {
		p.root.Chtimes(p.name, age, age) // an error here is not worth a failure
	}
	if replace {
		return p.root.Rename(p.name, name)
	}
	return p.rename(name)
}

// rename never replaces a file.
func (p *part) rename(name string) error {
	err := p.root.Link(p.name, name)
	if err == nil {
		return p.root.Remove(p.name)
	}
	if _, err := p.root.Lstat(name); err == nil {
		return errExists
	}
	return p.root.Rename(p.name, name) // the file system has no links
}

var errExists = errors.New("it is here already; --force replaces it")

// leave closes the part for the next try, and removes it if it is empty.
func (p *part) leave() {
	info, err := p.Stat()
	p.Close()
	if err == nil && info.Size() == 0 {
		p.drop()
	}
}

// drop removes the part.
func (p *part) drop() {
	p.Close()
	p.root.Remove(p.name)
}
