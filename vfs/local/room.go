package local

import (
	"context"
	"iter"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"shelf/vfs"
	"shelf/vfs/local/dirfd"
	"shelf/vfs/local/quota"
)

// roomStep is how far ahead of the writes room is looked for, in bytes, so that
// the file system is asked once in a while and not at every packet.
const roomStep = 1 << 20

// Write implements [spool.Owner]. It refuses an end past a limit or past the room
// there is: early, so that a client learns it before it has sent everything, and
// no sparse file passes. Room that a size was given for may be gone by the time
// that it is written. The disk has old versions go for what is written, and not for the
// gap before it; and for nothing that a quota refuses.
func (u *upload) Write(off, end int64) error {
	size := u.content.Size()
	if err := u.checkSize(end); err != nil {
		return err
	}
	written := end - max(0, off)
	if err := u.couldReserve(max(written, end-size)); err != nil {
		return err
	}
	if err := u.charge(max(end, size)); err != nil {
		return err
	}
	if err := u.reserve(written); err != nil {
		return err
	}
	return u.changes(off)
}

// Resize implements [spool.Owner].
func (u *upload) Resize(size int64) error {
	now := u.content.Size()
	if err := u.checkSize(size); err != nil {
		return err
	}
	if size > now {
		if err := u.couldReserve(size - now); err != nil {
			return err
		}
	}
	if err := u.charge(size); err != nil {
		return err
	}
	if size >= now {
		return nil
	}
	return u.changes(size)
}

// Copy implements [spool.Owner]. Many file systems share the blocks, so that the
// disk is asked only where some of it is to be left free.
func (u *upload) Copy(n int64) error {
	if u.d.o.now().MinFreeSpace <= 0 {
		return nil
	}
	return u.hasRoom(n)
}

// checkSize refuses a file past the account's limit.
func (u *upload) checkSize(size int64) error {
	if u.o.MaxSize > 0 && size > u.o.MaxSize {
		return vfs.FileTooLarge(u.o.MaxSize)
	}
	return nil
}

// reserve takes n bytes of the room that was found, and looks for more when that
// is used up.
func (u *upload) reserve(n int64) error {
	if n > u.room {
		room, err := u.d.roomFor(n)
		if err != nil {
			return err
		}
		if n > room {
			return noRoom()
		}
		u.room = min(room, n+roomStep)
	}
	u.room -= n
	return nil
}

// couldReserve looks whether there is room for n bytes, or would be without old versions.
func (u *upload) couldReserve(n int64) error {
	if n <= u.room {
		return nil
	}
	room, err := u.d.room()
	if err == nil && n > room {
		var old quota.Amount
		old, err = u.d.droppable()
		room += old.Bytes
	}
	if err == nil && n > room {
		return noRoom()
	}
	return err
}

// hasRoom looks whether the disk has room for n bytes.
func (u *upload) hasRoom(n int64) error {
	room, err := u.d.roomFor(n)
	if err == nil && n > room {
		return noRoom()
	}
	return err
}

func noRoom() error {
	return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the server's disk has no room for a file of that size"}
}

// charge has the upload hold what a file of that size costs.
func (u *upload) charge(size int64) error {
	if err := u.chargeOwner(size); err != nil {
		return err
	}
	want := quota.CostOf(size).Minus(u.credit).OrNothing()
	if want == u.held {
		return nil
	}
	if err := u.d.quota.Hold(u.held, want); err != nil {
		return err
	}
	u.held = want
	return nil
}

// takeCredit has the upload be charged less what the file takes that it replaces.
func (u *upload) takeCredit(i info) {
	if credit, ok := u.d.quota.Credit(i.id, i.size); ok {
		u.credit, u.replaces = credit, i.id
	}
}

// room is how many bytes uploads can still take of the disk.
func (d *Dir) room() (int64, error) {
	s, err := d.disk()
	if err != nil {
		return 0, err
	}
	free := int64(min(s.Available*s.BlockSize, math.MaxInt64))
	return max(0, free-d.o.now().MinFreeSpace), nil
}

// roomFor is room, for n bytes of which old versions go if they must.
func (d *Dir) roomFor(n int64) (int64, error) {
	room, err := d.room()
	if err != nil || n <= room {
		return room, err
	}
	if err := d.quota.MakeRoom(quota.Amount{Bytes: n - room}); err != nil {
		return 0, err
	}
	return d.room()
}

// Space implements [vfs.Space]: the disk's, as far as the library may fill it.
func (d *Dir) Space(context.Context) (vfs.SpaceInfo, error) {
	s, err := d.disk()
	if err != nil {
		return s, err
	}
	s.Available -= min(s.Available, blocks(s, d.o.now().MinFreeSpace))
	if !d.quota.Counts() {
		return s, nil
	}
	left, err := d.quota.Left()
	if err != nil {
		return s, err
	}
	if d.o.now().Quota > 0 {
		s.Blocks = min(s.Blocks, blocks(s, d.o.now().Quota))
		s.Free = min(s.Free, uint64(left.Bytes)/s.BlockSize)
		s.Available = min(s.Available, s.Free)
	}
	if d.o.now().MaxFiles > 0 {
		s.Files, s.FreeFiles = uint64(d.o.now().MaxFiles), min(s.FreeFiles, uint64(left.Files))
	}
	return s, nil
}

// blocks is how many blocks of a file system so many bytes take.
func blocks(s vfs.SpaceInfo, bytes int64) uint64 {
	return (uint64(max(0, bytes)) + s.BlockSize - 1) / s.BlockSize
}

// disk is the space of the file system that the library lies on.
func (d *Dir) disk() (vfs.SpaceInfo, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd(), &st); err != nil {
		return vfs.SpaceInfo{}, vfs.SystemError("statfs", err)
	}
	return vfs.SpaceInfo{
		BlockSize: max(1, uint64(st.Bsize)),
		Blocks:    st.Blocks,
		Free:      st.Bfree,
		Available: uint64(st.Bavail),
		Files:     st.Files,
		FreeFiles: uint64(st.Ffree),
	}, nil
}

// Usage implements [vfs.Usage].
func (d *Dir) Usage(context.Context) (vfs.UsageInfo, error) {
	pledged, err := d.quota.Pledged()
	if err != nil {
		return vfs.UsageInfo{}, err
	}
	found, err := d.count() // without a lock: uploads need not wait for it
	return vfs.UsageInfo(found.Plus(pledged)), err
}

// Charged implements [vfs.Usage].
func (d *Dir) Charged() (held vfs.UsageInfo, ok bool) {
	a, ok := d.quota.Charged()
	return vfs.UsageInfo(a), ok
}

// size is that of a file of the library, in bytes.
func (d *Dir) size(name string) (int64, error) {
	i, err := d.stat(name)
	return i.size, err
}

// count adds up the library's files and partials. Stages of open uploads are
// charged as they grow.
func (d *Dir) count() (all quota.Amount, err error) {
	for i, err := range d.List(context.Background()) {
		if err != nil {
			return all, err
		}
		all = all.Plus(quota.CostOf(i.Size))
	}
	for name, err := range dirfd.Names(d.instance().partialFd()) {
		if err != nil {
			return all, vfs.SystemError("count", err)
		}
		if i, err := d.instance().statPartial(name); err == nil {
			all = all.Plus(quota.CostOf(i.size))
		}
	}
	versions, err := d.allVersions()
	for _, v := range versions {
		all = all.Plus(quota.CostOf(v.Size))
	}
	return all, err
}

// servers are this instance and the others, as the quota knows them. It implements
// [quota.Servers].
type servers struct{ mine *stages }

func (s servers) Lock() (release func(), err error) { return s.mine.holdLock() }
func (s servers) Share() *os.File                   { return s.mine.owner.File() }
func (s servers) Others() iter.Seq2[string, error]  { return s.mine.others() }

func (s servers) ShareOf(other string) (*os.File, error) {
	fd, err := unix.Openat(s.mine.topFd(), other+"/"+ownerName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, unlessGone(err)
	}
	return os.NewFile(uintptr(fd), ownerName), nil
}
