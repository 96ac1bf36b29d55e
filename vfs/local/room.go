package local

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"shelf/vfs"
)

// roomStep is how far ahead of the writes room is looked for, in bytes, so that
// the file system is asked once in a while and not at every packet.
const roomStep = 1 << 20

// Grow implements [spool.Owner]. It refuses an end past a limit or past the room
// there is: early, so that a client learns it before it has sent everything, and
// no sparse file passes.
func (u *upload) Grow(end int64) error {
	if u.o.MaxSize > 0 && end > u.o.MaxSize {
		return &vfs.Error{Kind: vfs.ErrTooLarge, Why: fmt.Sprintf("files are limited to %d bytes here", u.o.MaxSize)}
	}
	if size := u.content.Size(); end > max(size, u.roomUntil) {
		room, err := u.d.room()
		if err != nil {
			return err
		}
		if end-size > room {
			return &vfs.Error{Kind: vfs.ErrNoSpace, Why: "the server's disk has no room for a file of that size"}
		}
		u.roomUntil = min(size+room, end+roomStep)
	}
	return u.charge(end)
}

// charge takes what the upload will hold of the library's quota. The base is
// charged too once something is written: until Commit there are two files.
func (u *upload) charge(end int64) error {
	need := max(end, u.content.Size()) - u.charged
	if need <= 0 {
		return nil
	}
	if err := u.d.usage.take(need); err != nil {
		return err
	}
	u.charged += need
	return nil
}

// room is how many bytes uploads can still take of the disk.
func (d *Dir) room() (int64, error) {
	s, err := d.disk()
	if err != nil {
		return 0, err
	}
	free := int64(min(s.Available*s.BlockSize, math.MaxInt64))
	return max(0, free-d.o.MinFreeSpace), nil
}

// Space implements [vfs.Space]: the disk's, as far as the library may fill it.
func (d *Dir) Space(context.Context) (vfs.SpaceInfo, error) {
	s, err := d.disk()
	if err != nil {
		return s, err
	}
	s.Available -= min(s.Available, blocks(s, d.o.MinFreeSpace))
	if d.o.Quota <= 0 {
		return s, nil
	}
	left, err := d.usage.left()
	if err != nil {
		return s, err
	}
	s.Blocks = min(s.Blocks, blocks(s, d.o.Quota))
	s.Free = min(s.Free, uint64(left)/s.BlockSize)
	s.Available = min(s.Available, s.Free)
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
