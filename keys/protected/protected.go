// Package protected reads files whose content decides who may enter: others must not be
// able to change them, or to read them if they are private.
package protected

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Bits are those that the mode of a file must not have.
type Bits fs.FileMode

const (
	Public  Bits = 0o022 // others may read it, as public keys
	Private Bits = 0o077 // only its owner may, as private keys
)

// Read reads a file whose content is trusted, of at most limit bytes. It must
// be a regular file of ours or of root that only its owner can write, in a folder
// where only its owner can replace it (sshd_config(5), StrictModes).
//
// A symbolic link is followed for public keys, since only an admin can have put it
// there, and refused for private keys.
func Read(path string, limit int64, p Bits) ([]byte, error) {
	f, err := Open(path, p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, path, limit)
}

// Open opens such a file.
func Open(path string, p Bits) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK // a FIFO must not hold up a login
	if p == Private {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
		return nil, fmt.Errorf("%s is a symbolic link; put the file itself there", path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, denied(path, err)
	}
	if err != nil {
		return nil, err
	}
	if err := checkFile(f, path, p); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadAll reads a file that is open, of at most limit bytes.
func ReadAll(f *os.File, path string, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return content, nil
}

// denied adds to the error of a file that we may not read who owns it.
func denied(path string, err error) error {
	info, e := os.Stat(path)
	if e != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o400 != 0 {
		return fmt.Errorf("%w; if the file was replaced since the server started, it is outside its sandbox; restart the server", err)
	}
	if !ok || int(st.Uid) == os.Geteuid() {
		return err
	}
	owner := fmt.Sprintf("user %d", st.Uid)
	if st.Uid == 0 {
		owner = "root"
	}
	return fmt.Errorf("%w; it belongs to %s, and the server runs as user %d; run as root: chown %d %s",
		err, owner, os.Geteuid(), os.Geteuid(), path)
}

func checkFile(f *os.File, path string, p Bits) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return checkInfo(info, path, p)
}

// Check refuses a file that others can write or replace, as a file of
// keys. One that does not exist is fine if others cannot put one there.
func Check(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return err
		}
		return checkFolderIs(folder, path)
	}
	if err != nil {
		return err
	}
	return checkInfo(info, path, Public)
}

func checkInfo(info fs.FileInfo, path string, p Bits) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if !ownedByUs(info) {
		return fmt.Errorf("%s belongs to another user; run: chown %d %s", path, os.Geteuid(), path)
	}
	if bad := info.Mode().Perm() & fs.FileMode(p); bad != 0 {
		return fmt.Errorf("%s has mode %04o, so others may %s it; run: chmod %s %s",
			path, info.Mode().Perm(), verb(bad), remedy(p), path)
	}
	return checkFolder(path)
}

// checkFolder refuses a folder in which others can replace the file. In a sticky
// folder, as /tmp, they cannot.
func checkFolder(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return checkFolderIs(filepath.Dir(real), path)
}

func checkFolderIs(folder, path string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if !ownedByUs(info) {
		return fmt.Errorf("%s, where %s is, belongs to another user", folder, filepath.Base(path))
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%s has mode %04o, so others may replace %s; run: chmod go-w %s",
			folder, info.Mode().Perm(), filepath.Base(path), folder)
	}
	return nil
}

// ownedByUs tells whether a file belongs to the user of this process, or to root,
// who can change any file anyway.
func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Geteuid())
}

func verb(bad fs.FileMode) string {
	if bad&0o022 != 0 {
		return "write"
	}
	return "read"
}

func remedy(p Bits) string {
	if p == Private {
		return "600"
	}
	return "go-w"
}
