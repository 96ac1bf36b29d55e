package main

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
)

// part is the local file that a download goes to until it is whole. It lies
// beside the target under a name made from what is downloaded, so that the next
// try finds it. It is written in order: what it holds is a beginning.
type part struct {
	*os.File
	root *os.Root
	name string // of the part
	size int64  // bytes it holds already
}

const (
	partPrefix = ".shelf-"
	partSuffix = ".part"
)

// partName has a first half for the file and a second for its version.
func partName(server, path string, version attrs) string {
	half := func(format string, args ...any) string {
		sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
		return hex.EncodeToString(sum[:8])
	}
	return partPrefix + half("%s\x00%s", server, path) + "-" + half("%d\x00%d", version.size, version.modified.Unix()) + partSuffix
}

// openPart opens the part of a file, and removes those of other versions that
// are among the parts there are.
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

// check makes sure that the part is ours alone, and still what the name stands
// for: another shelf may just have given it its last name, and a link may have
// been put there.
func (p *part) check() error {
	if err := lock(p.File); err != nil {
		return errors.New("another shelf is getting it just now")
	}
	opened, err := p.Stat()
	if err != nil {
		return err
	}
	named, err := p.root.Lstat(p.name)
	if err != nil || !named.Mode().IsRegular() || !os.SameFile(named, opened) {
		return fmt.Errorf("%s, where it would be kept meanwhile, is not a file of ours", p.name)
	}
	p.size = opened.Size()
	return nil
}

// removeOtherParts leaves one that another shelf writes just now.
func removeOtherParts(root *os.Root, name string, all []string) {
	same := name[:strings.LastIndexByte(name, '-')+1]
	for _, other := range all {
		if !strings.HasPrefix(other, same) || other == name {
			continue
		}
		if i, err := root.Lstat(other); err != nil || !i.Mode().IsRegular() {
			continue // to open a FIFO would wait for a writer
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
			if strings.HasPrefix(n, partPrefix) && strings.HasSuffix(n, partSuffix) {
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

// become gives a whole file its age and its name. Unless replace is set a file
// that has the name by now stays.
func (p *part) become(name string, age time.Time, replace bool) error {
	if runtime.GOOS == "windows" { // elsewhere the lock is held until it is done
		p.Close()
	}
	defer p.Close()
	if !age.IsZero() {
		p.root.Chtimes(p.name, age, age) // an age is not worth a failure
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
	return p.root.Rename(p.name, name) // on a file system without links
}

var errExists = errors.New("it is here already; --force replaces it")

// leave closes the part. An empty one is of no use.
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
