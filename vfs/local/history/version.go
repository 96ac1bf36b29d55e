package history

import (
	"errors"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"shelf/vfs/local/dirfd"
)

// Version is one that is kept.
type Version struct {
	ID   string
	Name string    // which it had in the library
	Kept time.Time // since when
	info
}

// info describes its file.
type info struct {
	Size     int64
	ModTime  time.Time
	Dev, Ino uint64
	Links    uint64 // 2 is that its name in the library still stands for it
	UID      uint32
}

// idLayout is how ids are written: by their order the oldest comes first.
const idLayout = "20060102T150405.000000Z"

// parseID is false for what could not be the id of a version.
func parseID(id string) (time.Time, bool) {
	at, err := time.Parse(idLayout, id)
	return at, err == nil && at.Format(idLayout) == id
}

func (v Version) path() string { return v.Name + "/" + v.ID }

// stat describes a version. What is no regular file is none: the error is unix.ENOENT.
func stat(all int, path string) (i info, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(all, path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return i, err
	}
	if uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		return i, unix.ENOENT
	}
	return info{
		Size: st.Size, ModTime: time.Unix(st.Mtim.Unix()),
		Dev: uint64(st.Dev), Ino: st.Ino, Links: uint64(st.Nlink), UID: st.Uid,
	}, nil
}

// Find is a version of a name, as it is now. The error may be unix.ENOENT.
func (h *Folder) Find(name, id string) (v Version, err error) {
	at, ok := parseID(id)
	if !ok {
		return v, unix.ENOENT
	}
	all, err := h.open(false)
	if err != nil {
		return v, err
	}
	v = Version{ID: id, Name: name, Kept: at}
	v.info, err = stat(all, v.path())
	return v, err
}

// Open opens a version to look at it. The error may be unix.ENOENT.
func (h *Folder) Open(v Version, flags int) (*os.File, error) {
	all, err := h.open(false)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Openat(all, v.path(), flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), v.Name), nil
}

// Of lists the versions of a name, the oldest first.
func (h *Folder) Of(name string) (versions []Version, err error) {
	all, err := h.open(false)
	if err != nil {
		return nil, unlessAbsent(err)
	}
	folder, err := dirfd.Open(all, name)
	if err != nil {
		return nil, unlessAbsent(err)
	}
	defer folder.Close()
	ids, err := folder.Readdirnames(-1)
	for _, id := range ids {
		if v, err := h.Find(name, id); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, Older)
	return versions, unlessAbsent(err)
}

// Older compares two versions by when they were replaced.
func Older(a, b Version) int { return strings.Compare(a.ID, b.ID) }

func unlessAbsent(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// Names yields the names that have versions, or had some.
func (h *Folder) Names() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		all, err := h.open(false)
		if err != nil {
			if unlessAbsent(err) != nil {
				yield("", err)
			}
			return
		}
		for name, err := range dirfd.Names(all) {
			if errors.Is(err, unix.ENOENT) || !yield(name, err) {
				return // or it was removed just now
			}
		}
	}
}
