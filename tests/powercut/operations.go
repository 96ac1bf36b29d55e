//go:build linux

package powercut

import (
	"maps"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// operations are what the kernel asks of a Disk; what is not here is ENOSYS,
// for which the kernel has an answer of its own (flock, lseek, access). Names
// and attributes are never cached, data never go through the page cache: the
// kernel asks for all, in the order of the system calls.
type operations struct {
	fuse.RawFileSystem
	d *Disk
}

func (o *operations) String() string { return "powercut" }

// begin takes the lock and finds a node.
func (o *operations) begin(id uint64) (*node, func()) {
	o.d.mu.Lock()
	return o.d.nodes[id], o.d.mu.Unlock
}

func (n *node) describe(a *fuse.Attr) {
	*a = fuse.Attr{
		Ino: n.id, Size: uint64(len(n.data)), Blocks: uint64(len(n.data)+511) / 512,
		Mode: n.mode(), Nlink: max(1, n.links), Blksize: 4096,
		Owner: fuse.Owner{Uid: uint32(syscall.Getuid()), Gid: uint32(syscall.Getgid())},
	}
	if !n.isDir() {
		a.Nlink = n.links
	}
	a.SetTimes(&n.attr.atime, &n.attr.mtime, &n.attr.mtime)
}

func (n *node) entry(out *fuse.EntryOut) {
	out.NodeId, out.Generation = n.id, 1
	n.describe(&out.Attr)
}

// Lookup implements [fuse.RawFileSystem].
func (o *operations) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir, end := o.begin(in.NodeId)
	defer end()
	id, ok := dir.entries[name]
	if !ok {
		return fuse.ENOENT
	}
	o.d.nodes[id].entry(out)
	return fuse.OK
}

// Forget implements [fuse.RawFileSystem]. Nodes stay: they may come back.
func (o *operations) Forget(uint64, uint64) {}

// GetAttr implements [fuse.RawFileSystem].
func (o *operations) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, end := o.begin(in.NodeId)
	defer end()
	n.describe(&out.Attr)
	return fuse.OK
}

// SetAttr implements [fuse.RawFileSystem]. Owners are ours, whoever asks.
func (o *operations) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, end := o.begin(in.NodeId)
	defer end()
	if size, ok := in.GetSize(); ok {
		n.truncate(o.d.next(), int64(size))
	}
	if mode, ok := in.GetMode(); ok {
		n.change(o.d.next(), func(a *attributes) { a.mode = mode })
	}
	if t, ok := in.GetATime(); ok {
		n.change(o.d.next(), func(a *attributes) { a.atime = t })
	}
	if t, ok := in.GetMTime(); ok {
		n.change(o.d.next(), func(a *attributes) { a.mtime = t })
	}
	n.describe(&out.Attr)
	return fuse.OK
}

// SetXAttr implements [fuse.RawFileSystem].
func (o *operations) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) fuse.Status {
	n, end := o.begin(in.NodeId)
	defer end()
	with := string(value)
	n.change(o.d.next(), func(a *attributes) {
		all := maps.Clone(a.extended)
		if all == nil {
			all = make(map[string]string)
		}
		all[name] = with
		a.extended = all
	})
	return fuse.OK
}

// GetXAttr implements [fuse.RawFileSystem].
func (o *operations) GetXAttr(_ <-chan struct{}, in *fuse.InHeader, name string, to []byte) (uint32, fuse.Status) {
	n, end := o.begin(in.NodeId)
	defer end()
	value, ok := n.attr.extended[name]
	switch {
	case !ok:
		return 0, fuse.ENOATTR
	case len(to) > 0 && len(to) < len(value):
		return uint32(len(value)), fuse.ERANGE
	}
	copy(to, value)
	return uint32(len(value)), fuse.OK
}

// Mkdir implements [fuse.RawFileSystem].
func (o *operations) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	dir, end := o.begin(in.NodeId)
	defer end()
	if _, ok := dir.entries[name]; ok {
		return fuse.Status(unix.EEXIST)
	}
	n := o.d.add(true, in.Mode)
	dir.enter(o.d.next(), name, n)
	n.entry(out)
	return fuse.OK
}

// Rmdir implements [fuse.RawFileSystem].
func (o *operations) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	dir, end := o.begin(in.NodeId)
	defer end()
	n := o.d.nodes[dir.entries[name]]
	switch {
	case n == nil:
		return fuse.ENOENT
	case len(n.entries) > 0:
		return fuse.Status(unix.ENOTEMPTY)
	}
	dir.leave(o.d.next(), name, n, false)
	return fuse.OK
}

// Create implements [fuse.RawFileSystem].
func (o *operations) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	dir, end := o.begin(in.NodeId)
	defer end()
	n := o.d.nodes[dir.entries[name]]
	switch {
	case n == nil:
		n = o.d.add(false, in.Mode)
		dir.enter(o.d.next(), name, n)
	case in.Flags&unix.O_EXCL != 0:
		return fuse.Status(unix.EEXIST)
	case in.Flags&unix.O_TRUNC != 0:
		n.truncate(o.d.next(), 0)
	}
	n.entry(&out.EntryOut)
	out.OpenFlags = fuse.FOPEN_DIRECT_IO
	return fuse.OK
}

// Open implements [fuse.RawFileSystem].
func (o *operations) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n, end := o.begin(in.NodeId)
	defer end()
	if in.Flags&unix.O_TRUNC != 0 {
		n.truncate(o.d.next(), 0)
	}
	out.OpenFlags = fuse.FOPEN_DIRECT_IO
	return fuse.OK
}

// Release implements [fuse.RawFileSystem].
func (o *operations) Release(<-chan struct{}, *fuse.ReleaseIn) {}

// Read implements [fuse.RawFileSystem].
func (o *operations) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	n, end := o.begin(in.NodeId)
	defer end()
	from := min(in.Offset, uint64(len(n.data)))
	return fuse.ReadResultData(buf[:copy(buf, n.data[from:])]), fuse.OK
}

// Write implements [fuse.RawFileSystem].
func (o *operations) Write(_ <-chan struct{}, in *fuse.WriteIn, p []byte) (uint32, fuse.Status) {
	n, end := o.begin(in.NodeId)
	defer end()
	off := int64(in.Offset)
	if in.Flags&unix.O_APPEND != 0 {
		off = int64(len(n.data))
	}
	n.write(o.d.next(), p, off)
	return uint32(len(p)), fuse.OK
}

// CopyFileRange implements [fuse.RawFileSystem].
func (o *operations) CopyFileRange(_ <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	from, end := o.begin(in.NodeId)
	defer end()
	off := min(in.OffIn, uint64(len(from.data)))
	p := from.data[off:min(off+min(in.Len, 1<<20), uint64(len(from.data)))]
	if len(p) > 0 {
		o.d.nodes[in.NodeIdOut].write(o.d.next(), p, int64(in.OffOut))
	}
	return uint32(len(p)), fuse.OK
}

// Fsync implements [fuse.RawFileSystem]. fdatasync is taken for fsync: what it
// may leave out is times.
func (o *operations) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	n, end := o.begin(in.NodeId)
	defer end()
	o.d.sync(n)
	return fuse.OK
}

// FsyncDir implements [fuse.RawFileSystem].
func (o *operations) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return o.Fsync(cancel, in)
}

// Unlink implements [fuse.RawFileSystem].
func (o *operations) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if o.d.o.BeforeUnlink != nil {
		o.d.o.BeforeUnlink()
	}
	dir, end := o.begin(in.NodeId)
	defer end()
	id, ok := dir.entries[name]
	if !ok {
		return fuse.ENOENT
	}
	dir.leave(o.d.next(), name, o.d.nodes[id], false)
	return fuse.OK
}

// Link implements [fuse.RawFileSystem].
func (o *operations) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	dir, end := o.begin(in.NodeId)
	defer end()
	n := o.d.nodes[in.Oldnodeid]
	switch _, ok := dir.entries[name]; {
	case ok:
		return fuse.Status(unix.EEXIST)
	case n.links == 0:
		return fuse.ENOENT
	}
	dir.enter(o.d.next(), name, n)
	n.entry(out)
	return fuse.OK
}

// Rename implements [fuse.RawFileSystem]. The new entry is made first, and at
// the same moment: see [Strict].
func (o *operations) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	from, end := o.begin(in.NodeId)
	defer end()
	to := o.d.nodes[in.Newdir]
	n, target := o.d.nodes[from.entries[oldName]], o.d.nodes[to.entries[newName]]
	switch {
	case in.Flags&^unix.RENAME_NOREPLACE != 0 || in.Flags != 0 && o.d.o.NoRenameNoReplace:
		return fuse.EINVAL
	case n == nil:
		return fuse.ENOENT
	case target != nil && in.Flags&unix.RENAME_NOREPLACE != 0:
		return fuse.Status(unix.EEXIST)
	case target == n:
		return fuse.OK // POSIX: two names for one file, and nothing is done
	case target != nil && (target.isDir() || n.isDir()):
		return fuse.Status(unix.EISDIR) // no test replaces a directory
	}
	at := o.d.next()
	if target != nil {
		target.links--
	}
	to.enter(at, newName, n)
	from.leave(at, oldName, n, from == to)
	return fuse.OK
}

// OpenDir implements [fuse.RawFileSystem]. A listing is of the moment at which
// the directory was opened.
func (o *operations) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	dir, end := o.begin(in.NodeId)
	defer end()
	var all []fuse.DirEntry
	for _, name := range slices.Sorted(maps.Keys(dir.entries)) {
		n := o.d.nodes[dir.entries[name]]
		all = append(all, fuse.DirEntry{Name: name, Ino: n.id, Mode: n.mode(), Off: uint64(len(all)) + 1})
	}
	o.d.handle++
	out.Fh = o.d.handle
	o.d.listings[out.Fh] = all
	return fuse.OK
}

// ReadDir implements [fuse.RawFileSystem].
func (o *operations) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	_, end := o.begin(in.NodeId)
	defer end()
	all := o.d.listings[in.Fh]
	for _, e := range all[min(in.Offset, uint64(len(all))):] {
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

// ReleaseDir implements [fuse.RawFileSystem].
func (o *operations) ReleaseDir(in *fuse.ReleaseIn) {
	_, end := o.begin(in.NodeId)
	defer end()
	delete(o.d.listings, in.Fh)
}

// StatFs implements [fuse.RawFileSystem]: there is always room.
func (o *operations) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	const blocks, files = 1 << 24, 1 << 20
	*out = fuse.StatfsOut{Blocks: blocks, Bfree: blocks, Bavail: blocks, Files: files, Ffree: files, Bsize: 4096, Frsize: 4096, NameLen: 255}
	return fuse.OK
}
