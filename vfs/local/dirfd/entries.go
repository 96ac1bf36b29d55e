package dirfd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Entry is a name in a folder, and the inode it stood for when it was read.
type Entry struct {
	Name  string
	Inode uint64
}

// folderBuffer is how much of a folder is read at a time, in bytes: some 200
// names.
const folderBuffer = 8 << 10

// Entries yields what is in an open folder, reading it anew.
func Entries(fd int) iter.Seq2[Entry, error] {
	return EntriesAfter(fd, func() error { return nil })
}

// EntriesAfter does the same, and calls read when it has read a part of the
// folder, before it yields that.
func EntriesAfter(fd int, read func() error) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		folder := os.NewFile(uintptr(again), ".")
		defer folder.Close()
		for buffer := make([]byte, folderBuffer); ; {
			n, err := unix.ReadDirent(int(folder.Fd()), buffer)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err == nil {
				err = read()
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if n <= 0 || !yieldEntries(buffer[:n], yield) {
				return
			}
		}
	}
}

// yieldEntries yields the entries of a buffer that getdents(2) filled; it is
// false when no more are wanted. They are of one form on every Unix here: a
// struct that starts with the inode number, and tells its own length.
func yieldEntries(b []byte, yield func(Entry, error) bool) bool {
	const (
		lengthAt = unsafe.Offsetof(unix.Dirent{}.Reclen)
		nameAt   = unsafe.Offsetof(unix.Dirent{}.Name)
	)
	for len(b) > 0 {
		length := 0
		if len(b) > int(nameAt) {
			length = int(binary.NativeEndian.Uint16(b[lengthAt:]))
		}
		if length <= int(nameAt) || length > len(b) {
			yield(Entry{}, io.ErrUnexpectedEOF)
			return false
		}
		inode := binary.NativeEndian.Uint64(b)
		name, _, _ := bytes.Cut(b[nameAt:length], []byte{0})
		b = b[length:]
		if s := string(name); inode != 0 && s != "." && s != ".." && !yield(Entry{s, inode}, nil) {
			return false
		}
	}
	return true
}

// Names yields the names in an open folder, reading it anew.
func Names(fd int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range Entries(fd) {
			if !yield(e.Name, err) || err != nil {
				return
			}
		}
	}
}
