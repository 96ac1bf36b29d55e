package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// userToken stands for the account's name in the path of a library.
const userToken = "%u"

// Prefix is the folder of a path that is the same for all accounts: all of it, or
// what comes before the element with %u.
func Prefix(path string) string {
	if !PerAccount(path) {
		return keys.ExpandUser(path, "")
	}
	return keys.KeyFilesFolder(path)
}

// makeFolder opens the folder of an account's library below the prefix, and makes
// what is missing of it. No link leads it out of the prefix, whoever puts one there.
func makeFolder(prefix, path string, mode fs.FileMode) (*os.File, error) {
	below, err := filepath.Rel(prefix, path)
	if err != nil || !filepath.IsLocal(below) {
		return nil, fmt.Errorf("%s is not below %s", path, prefix)
	}
	root, err := os.OpenRoot(prefix)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for at := 0; at < len(below); {
		next := strings.IndexByte(below[at+1:], filepath.Separator)
		if next < 0 {
			at = len(below)
		} else {
			at += 1 + next
		}
		if err := makeOne(root, below[:at], mode); err != nil {
			return nil, err
		}
	}
	return root.OpenFile(below, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// makeOne makes a folder unless it is there. It survives a power cut: all that is
// published in it must not go with it.
func makeOne(root *os.Root, path string, mode fs.FileMode) error {
	err := root.Mkdir(path, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = setMode(root, path, mode)
	}
	if err != nil {
		return err
	}
	parent, err := root.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// setMode gives a new folder its mode whatever the umask is, and leaves it the
// setgid bit that it may have got from its parent.
func setMode(root *os.Root, path string, mode fs.FileMode) error {
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return f.Chmod(mode | info.Mode()&fs.ModeSetgid)
}

// CheckFolder refuses a library whose folder is not there, or of whose folder only
// what is made for an account may be missing.
func CheckFolder(l config.Library) error {
	if l.Bucket != "" {
		return nil
	}
	path := Prefix(l.Path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no library: %w", path, unix.ENOTDIR)
	}
	root, err := os.OpenRoot(path) // as [makeFolder] will
	if err != nil {
		return err
	}
	return root.Close()
}

// ErrOwner refuses to serve the files of others with the rights of root.
var ErrOwner = errors.New("root would serve the library of another user")

// CheckOwner is that, unless it is wanted.
func CheckOwner(s config.Settings, path string) error {
	var st unix.Stat_t
	if s.AllowRoot || os.Geteuid() != 0 || unix.Stat(path, &st) != nil || st.Uid == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to user %d", ErrOwner, path, st.Uid)
}
