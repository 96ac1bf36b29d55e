package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// entry is a name in a folder, and the inode it stood for when it was read.
type entry struct {
	name  string
	inode uint64
}

// folderBuffer is how much of a folder is read at a time, in bytes: some 200
// names.
const folderBuffer = 8 << 10

// folderEntries yields what is in an open folder, reading it anew.
func folderEntries(fd int) iter.Seq2[entry, error] {
	return folderEntriesAfter(fd, func() error { return nil })
}

// folderEntriesAfter does the same, and calls read when it has read a part of the
// folder, before it yields that.
func folderEntriesAfter(fd int, read func() error) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			yield(entry{}, err)
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
				yield(entry{}, err)
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
func yieldEntries(b []byte, yield func(entry, error) bool) bool {
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
			yield(entry{}, io.ErrUnexpectedEOF)
			return false
		}
		inode := binary.NativeEndian.Uint64(b)
		name, _, _ := bytes.Cut(b[nameAt:length], []byte{0})
		b = b[length:]
		if s := string(name); inode != 0 && s != "." && s != ".." && !yield(entry{s, inode}, nil) {
			return false
		}
	}
	return true
}

// folderNames yields the names in an open folder, reading it anew.
func folderNames(fd int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range folderEntries(fd) {
			if !yield(e.name, err) || err != nil {
				return
			}
		}
	}
}

// Probe tells whether a directory could be a library, and does not take it:
// whether files can be made in it, synced and renamed.
func Probe(path string) (err error) {
	f, err := os.CreateTemp(path, ".shelf-probe-*")
	if err != nil {
		return fmt.Errorf("library %s: make a file: %w", path, err)
	}
	renamed := f.Name() + "-renamed"
	defer func() {
		if err != nil {
			err = fmt.Errorf("library %s: %w", path, err)
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(f.Name(), renamed), os.Remove(renamed)); err != nil {
		return err
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
