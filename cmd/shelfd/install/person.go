package install

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
)

// person is who sets the server up: behind sudo, the one who called it.
type person struct {
	name string
	home string
	owner
}

func whoSetsUp() (person, error) {
	me, err := user.Current()
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		me, err = user.Lookup(name)
	}
	if err != nil {
		return person{}, fmt.Errorf("cannot tell who you are: %w; name the account with --account, and its key with --key", err)
	}
	uid, err1 := strconv.Atoi(me.Uid)
	gid, err2 := strconv.Atoi(me.Gid)
	return person{me.Username, me.HomeDir, owner{uid, gid}}, errors.Join(err1, err2)
}

// account is the name of their account, as far as it is none of the machine's own.
func (p person) account() string {
	if p.name == "root" || keys.CheckFileName(p.name) != nil {
		return "admin"
	}
	return p.name
}

// publicKey is the file of the key that stock clients offer by themselves. If there
// is none, it is made, as ssh-keygen makes it, but without a passphrase.
func (p person) publicKey() (path string, made bool, err error) {
	folder := filepath.Join(p.home, ".ssh")
	for _, name := range []string{"id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"} {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path, false, nil
		}
	}
	if err := makeFolder(folder, 0o700, p.owner); err != nil {
		return "", false, err
	}
	private := filepath.Join(folder, "id_ed25519")
	key, err := keys.Generate(private, p.name)
	if errors.Is(err, fs.ErrExist) {
		return "", false, fmt.Errorf("%s has no public half beside it: make that with ssh-keygen -y, or name a key with --key", private)
	}
	if err != nil {
		return "", false, err
	}
	// The home is another user's: no link that is there is followed.
	public, err := os.OpenFile(private+".pub", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", false, err
	}
	line := ssh.MarshalAuthorizedKey(key)
	_, err = fmt.Fprintf(public, "%s %s\n", line[:len(line)-1], cmp.Or(p.name, "shelf"))
	return public.Name(), true, errors.Join(err, public.Close(), p.take(private), p.take(public.Name()))
}
