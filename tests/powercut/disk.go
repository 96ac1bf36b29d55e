//go:build linux

package powercut

import (
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Options make a file system that lacks something; the zero value lacks nothing.
type Options struct {
	// IgnoreSync tells whether a sync of path is to be acknowledged and not
	// done. The path is from the top of the file system, which is "."; it is ""
	// for a file that has no name any more.
	IgnoreSync func(path string) bool

	// NoRenameNoReplace refuses renameat2 with RENAME_NOREPLACE as file systems
	// do that do not have it: EINVAL.
	NoRenameNoReplace bool

	// BeforeUnlink is called before a name is removed, if it is set: what waits
	// there gives others the time to come in between.
	BeforeUnlink func()
}

// Disk is a mounted file system.
type Disk struct {
	o      Options
	server *fuse.Server

	mu        sync.Mutex
	nodes     map[uint64]*node // every one that ever was, by number; mu
	last      uint64           // the number of the newest node; mu
	now       moment           // the last change; mu
	committed moment           // the last change before the last sync of anything; mu
	listings  map[uint64][]fuse.DirEntry
	handle    uint64 // the newest of listings; mu
}

// moment counts the changes of a disk, of whatever kind.
type moment uint64

// Mount mounts an empty file system at the directory dir. Nothing is ever freed
// before Unmount: a removed file may come back.
func Mount(dir string, o Options) (*Disk, error) {
	d := &Disk{o: o, nodes: make(map[uint64]*node), listings: make(map[uint64][]fuse.DirEntry)}
	d.add(true, 0o755)
	server, err := fuse.NewServer(&operations{fuse.NewDefaultRawFileSystem(), d}, dir, &fuse.MountOptions{
		FsName: "powercut",
		Name:   "powercut",
		// Without fusermount where we may mount; it is what else is tried.
		DirectMount: true,
		// Listings need no attributes.
		DisableReadDirPlus: true,
	})
	if err != nil {
		return nil, err
	}
	d.server = server
	go server.Serve()
	return d, server.WaitMount()
}

// Unmount ends the file system; what is in it is gone.
func (d *Disk) Unmount() error { return d.server.Unmount() }

// add makes a node. The caller has mu, or is the only one.
func (d *Disk) add(dir bool, mode uint32) *node {
	d.last++
	now := time.Now()
	n := &node{id: d.last, attr: attributes{mode: mode & 0o7777, atime: now, mtime: now}}
	if dir {
		n.entries = make(map[string]uint64)
	}
	n.onDisk = n.image()
	d.nodes[n.id] = n
	return n
}

// next is the moment of a change that is about to be made. The caller has mu.
func (d *Disk) next() moment {
	d.now++
	return d.now
}

// sync makes a node durable, and with it, by the ordered model, every change
// of names and attributes made so far. The caller has mu.
func (d *Disk) sync(n *node) {
	if d.o.IgnoreSync != nil && d.o.IgnoreSync(d.path(n)) {
		return
	}
	n.onDisk, n.pending = n.image(), nil
	d.committed = d.now
}

// path finds the name of a node. The caller has mu.
func (d *Disk) path(n *node) string {
	if n.id == root {
		return "."
	}
	for _, dir := range d.nodes {
		for name, id := range dir.entries {
			if id != n.id {
				continue
			}
			switch above := d.path(dir); above {
			case "":
			case ".":
				return name
			default:
				return above + "/" + name
			}
		}
	}
	return ""
}
