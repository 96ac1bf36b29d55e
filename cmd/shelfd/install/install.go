// Package install makes a server of one's own: the configuration, the folders that it
// names, and accounts.
//
//	install.go    what the commands share: which configuration, whose files
//	init.go       shelfd init: all that a first start takes
//	questions.go  what init asks
//	template.go   the configuration that init writes
//	service.go    the systemd unit: what it needs for this configuration, and its start
//	person.go     who sets the server up, and their key
//	add.go        shelfd add: an account with its keys
//	invite.go     shelfd add --invite: an account for one delivery
//	connect.go    the commands to connect with, for people to paste
package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/pflag"

	"shelf/cmd/shelfd/config"
)

// The places of an installation that root makes; packages have them too.
const (
	systemConfig = "/etc/shelf/shelfd.toml"
	systemUser   = "shelf"
)

// usualConfig is the configuration that is meant when none is named: that of the
// system for root, and else one's own by the XDG Base Directory Specification.
func usualConfig() (string, error) {
	if os.Geteuid() == 0 {
		return systemConfig, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for the configuration: %w; name one with --config", err)
	}
	return filepath.Join(folder, "shelf", "shelfd.toml"), nil
}

// load reads a configuration file.
func load(path string) (config.Settings, error) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(f, "state")
	if err := f.Set("config", path); err != nil {
		return config.Settings{}, err
	}
	return config.Load(f)
}

// owner is who a file belongs to.
type owner struct{ uid, gid int }

// serverUser is the user that the server runs as: of this name, or who runs this
// command if it is "".
func serverUser(name string) (owner, error) {
	if name == "" {
		return owner{os.Geteuid(), os.Getegid()}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return owner{}, fmt.Errorf("the server needs a user of its own: %w\n"+
			"  Make one with: useradd --system --home /var/lib/shelf --shell /usr/sbin/nologin %s", err, name)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return owner{uid, gid}, errors.Join(err1, err2)
}

// makeFolder makes a folder, if it is not there yet, and gives it to an owner. Those
// above it are made too, and belong to who runs this.
func makeFolder(path string, mode fs.FileMode, o owner) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", path)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, mode), o.take(path))
}

// take gives a file to the owner, as far as who runs this may.
func (o owner) take(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, o.uid, o.gid)
}

// writeFile gives a file its content in one step. A file that was there keeps its
// owner and mode; a new one is root's, and can be read by the group of the folder,
// which is that of the server.
func writeFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	if err = errors.Join(err, likeBefore(temporary, path), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

func likeBefore(f *os.File, path string) error {
	mode := fs.FileMode(0o640)
	info, err := os.Stat(path)
	if err == nil {
		mode = info.Mode().Perm()
	} else if info, err = os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	if before, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		uid := 0
		if info.Mode().IsRegular() {
			uid = int(before.Uid)
		}
		if err := f.Chown(uid, int(before.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(mode)
}
