package keys

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

// protection is what the mode of a file must not allow.
type protection fs.FileMode

const (
	sharedRead protection = 0o022 // others may read it, as public keys
	ownerOnly  protection = 0o077 // nobody else may read it, as private keys
)

// readSecure reads a file whose content is trusted: a regular file of ours or
// of root that only its owner can write (sshd_config(5), StrictModes), in a
// folder where only its owner can replace it, of at most limit bytes.
//
// A link is followed for what others may read, since it is the admin's to put
// there, and refused for a secret.
func readSecure(path string, limit int64, p protection) ([]byte, error) {
	f, err := openSecure(path, p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, limit)
}

// openSecure opens such a file.
func openSecure(path string, p protection) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK // a FIFO must not hold up a login
	if p == ownerOnly {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
		return nil, fmt.Errorf("%s is a symbolic link; put the file itself there", path)
	}
	if err != nil {
		return nil, err
	}
	if err := checkSecure(f, path, p); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func readAll(f *os.File, path string, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return content, nil
}

func checkSecure(f *os.File, path string, p protection) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
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

// checkFolder refuses a folder in which others can put a file in this one's
// place. In a sticky one, as /tmp, they cannot.
func checkFolder(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	folder := filepath.Dir(real)
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

// ownedByUs tells whether a file belongs to the user this runs as, or to root,
// who can do anything anyway.
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

func remedy(p protection) string {
	if p == ownerOnly {
		return "600"
	}
	return "go-w"
}
