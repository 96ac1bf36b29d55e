//go:build linux

package powercut

import (
	"maps"
	"slices"
	"syscall"
	"time"
)

// root is the number of the directory at the top, by FUSE's rule.
const root = 1

// node is a file or directory, by whatever names.
type node struct {
	id      uint64
	attr    attributes
	data    []byte            // of a file
	entries map[string]uint64 // of a directory, nil for a file
	links   uint32            // how many entries stand for a file

	onDisk  image    // as it was at its last sync
	pending []change // since then
}

type attributes struct {
	mode         uint32 // permission bits
	atime, mtime time.Time
	extended     map[string]string // nothing in it changes any more; nil is none
}

// image is a node at one moment; nothing in it changes any more.
type image struct {
	attr    attributes
	data    []byte
	entries map[string]uint64
}

func (n *node) isDir() bool { return n.onDisk.entries != nil }

func (n *node) image() image {
	return image{n.attr, slices.Clone(n.data), maps.Clone(n.entries)}
}

// mode is the type and the permission bits.
func (n *node) mode() uint32 {
	if n.isDir() {
		return syscall.S_IFDIR | n.attr.mode
	}
	return syscall.S_IFREG | n.attr.mode
}

// change is one step from what is on disk to what is. Which fields count is
// said by kind.
type change struct {
	at   moment
	kind kind

	name   string // entered, left
	id     uint64 // entered
	within bool   // left: it is the second half of a rename within this directory

	off  int64  // wrote
	data []byte // wrote
	size int64  // truncated

	set func(*attributes) // changed
}

type kind int

const (
	entered   kind = iota // a directory has an entry, in place of another perhaps
	left                  // a directory has an entry no more
	wrote                 // a file has other data, and is longer perhaps
	truncated             // a file has another size
	changed               // mode, times or extended attributes
)

// enter gives the directory an entry for the node.
func (n *node) enter(at moment, name string, child *node) {
	n.entries[name] = child.id
	child.links++
	n.pending = append(n.pending, change{at: at, kind: entered, name: name, id: child.id})
}

// leave takes an entry away.
func (n *node) leave(at moment, name string, child *node, within bool) {
	delete(n.entries, name)
	child.links--
	n.pending = append(n.pending, change{at: at, kind: left, name: name, within: within})
}

func (n *node) write(at moment, p []byte, off int64) {
	p = slices.Clone(p)
	n.data = grown(n.data, off+int64(len(p)))
	copy(n.data[off:], p)
	n.attr.mtime = time.Now()
	n.pending = append(n.pending, change{at: at, kind: wrote, off: off, data: p})
}

func (n *node) truncate(at moment, size int64) {
	n.data = grown(n.data, size)[:size]
	n.attr.mtime = time.Now()
	n.pending = append(n.pending, change{at: at, kind: truncated, size: size})
}

func (n *node) change(at moment, set func(*attributes)) {
	set(&n.attr)
	n.pending = append(n.pending, change{at: at, kind: changed, set: set})
}

// grown is data with zeros added up to size, if it is shorter.
func grown(data []byte, size int64) []byte {
	if more := size - int64(len(data)); more > 0 {
		return append(data, make([]byte, more)...)
	}
	return data
}
