package install

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shelf/cmd/shelfd/arguments"
)

// installation is what init makes.
type installation struct {
	answers
	account string // the first one
	key     string // its public key: a file, or the key itself; "" is that of the person
	host    string
	user    string // whom the server runs as; "" is who runs this
	owner   owner
	yes     bool // ask nothing
	start   bool // under systemd
}

// Init is the command shelfd init.
func Init() *cobra.Command {
	var i installation
	var stay bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Set up a server: configuration, folders, keys, a first account",
		Long: "Set up a server. Three questions are asked: which folder to serve, where to listen,\n" +
			"and who may log in first. Flags answer them in advance.\n\n" +
			"As root it sets up the server of this machine, which runs as the user " + systemUser + ", and\n" +
			"starts it if there is systemd. For others it sets up one of their own.",
		Args: arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			i.start = !stay
			return i.run(c.InOrStdin(), c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&i.config, "config", "", "write the settings to this `file`")
	f.StringVar(&i.library, "library", "", "serve the files in this `directory`")
	f.StringVar(&i.listen, "listen", "", "listen on `address`:port")
	f.StringVar(&i.state, "state", "", "keep host keys and digests in this `directory`")
	f.StringVar(&i.account, "account", "", "`name` of the first account")
	f.StringVar(&i.key, "key", "", "its public `key`: a file, or the key itself in quotes")
	f.StringVar(&i.host, "host", "", "the `name` that others reach this machine by (default its own)")
	f.StringVar(&i.user, "user", "", "`name` of the system's user that the server runs as (default "+systemUser+" for root)")
	f.BoolVarP(&i.yes, "yes", "y", false, "ask nothing")
	f.BoolVar(&stay, "no-start", false, "do not start the server")
	return c
}

func (i *installation) run(in io.Reader, out io.Writer) error {
	who, err := i.complete()
	if err != nil {
		return err
	}
	if stdin, ok := in.(*os.File); ok && !i.yes && term.IsTerminal(int(stdin.Fd())) {
		err = ask(in, out, []question{
			{"Folder to serve", &i.library, checkLibrary},
			{"Address and port to listen on", &i.listen, checkListen},
			{"Name of the first account", &i.account, checkAccount},
		})
	} else {
		err = errors.Join(checkLibrary(i.library), checkListen(i.listen), checkAccount(i.account))
	}
	if err != nil {
		return err
	}
	key, err := i.firstKey(who, out)
	if err != nil {
		return err
	}
	for _, step := range []func() error{i.folders, i.configure, func() error { return i.admit(key) }, i.hostKeys, i.check} {
		if err := step(); err != nil {
			return err
		}
	}
	return i.begin(out)
}

// complete fills in what no flag has said.
func (i *installation) complete() (who person, err error) {
	if i.config == "" {
		if i.config, err = usualConfig(); err != nil {
			return who, err
		}
	}
	if i.config, err = filepath.Abs(i.config); err != nil {
		return who, err
	}
	if i.user == "" && os.Geteuid() == 0 {
		i.user = systemUser
	}
	if i.owner, err = serverUser(i.user); err != nil {
		return who, err
	}
	if i.account == "" || i.key == "" {
		if who, err = whoSetsUp(); err != nil {
			return who, err
		}
	}
	usual := systemAnswers()
	if os.Geteuid() != 0 {
		usual.library, usual.state, usual.audit = filepath.Join(who.home, "shelf"), filepath.Join(who.home, ".local/state/shelf"), ""
	}
	i.library = cmp.Or(i.library, usual.library)
	i.listen = cmp.Or(i.listen, usual.listen)
	i.state = cmp.Or(i.state, usual.state)
	i.audit = usual.audit
	if i.account == "" {
		i.account = who.account()
	}
	return who, nil
}

// firstKey is the public key of the first account.
func (i *installation) firstKey(who person, out io.Writer) ([]byte, error) {
	if i.key != "" {
		key, err := readKey([]string{i.key}, nil)
		return key, errors.Join(err, usable(key))
	}
	path, made, err := who.publicKey()
	if err != nil {
		return nil, err
	}
	if made {
		fmt.Fprintf(out, "%s has no key yet: made one, %s, without a passphrase.\n", who.name, path)
	}
	key, err := os.ReadFile(path)
	return key, errors.Join(err, usable(key))
}

// folders makes those of the configuration, the keys, the state and the library.
// The server can change its state and the library, and no more.
func (i *installation) folders() error {
	read := owner{os.Geteuid(), i.owner.gid}
	folder := filepath.Dir(i.config)
	err := errors.Join(
		makeFolder(folder, 0o750, read), makeFolder(filepath.Join(folder, "keys"), 0o750, read),
		makeFolder(i.state, 0o700, i.owner), makeFolder(i.library, 0o750, i.owner))
	if i.audit != "" {
		err = errors.Join(err, makeFolder(filepath.Dir(i.audit), 0o750, i.owner))
	}
	return err
}

// configure writes the configuration. One that a person has changed stays, and that
// of a package stays once there is an account.
func (i *installation) configure() error {
	text := i.text()
	before, err := os.ReadFile(i.config)
	accounts, _ := os.ReadDir(filepath.Join(filepath.Dir(i.config), "keys"))
	switch {
	case err == nil && string(before) != text && (len(accounts) > 0 || string(before) != systemAnswers().text()):
		return fmt.Errorf("%s is there already. Change it by hand, and let people in with: shelfd add NAME KEY\n"+
			"  Or set up another server: shelfd init --config FILE", i.config)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case string(before) == text:
		return nil
	}
	return writeFile(i.config, []byte(text))
}

// admit gives the first account its key, unless it has one.
func (i *installation) admit(key []byte) error {
	s, err := load(i.config)
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(i.config), "keys", i.account)
	if before, err := os.ReadFile(path); err == nil && string(before) == string(key) {
		return nil
	}
	_, err = writeKeyFile(s, i.account, key, false)
	return err
}

// hostKeys makes those that are missing, as the server's user, who has to read them.
func (i *installation) hostKeys() error {
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		if exists(filepath.Join(i.state, "ssh_host_"+kind+"_key")) {
			continue
		}
		if out, err := i.asServer("hostkey", "new", kind, "--config", i.config).CombinedOutput(); err != nil {
			return fmt.Errorf("make a host key: %w\n%s", err, out)
		}
	}
	return nil
}

// check has the server's user find what is wrong with all this.
func (i *installation) check() error {
	if out, err := i.asServer("check", "--config", i.config).CombinedOutput(); err != nil {
		return fmt.Errorf("the server can't be started like this: %w\n%s", err, out)
	}
	return nil
}

// asServer is another command of this program, as the server's user.
func (i *installation) asServer(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = "/"
	if os.Geteuid() == 0 && i.owner.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(i.owner.uid), Gid: uint32(i.owner.gid)}}
	}
	return cmd
}

// begin starts the server, or says how, and tells how to connect.
func (i *installation) begin(out io.Writer) error {
	s, err := load(i.config)
	if err != nil {
		return err
	}
	started := false
	if i.start && i.config == systemConfig && os.Geteuid() == 0 && haveSystemd() {
		if err := startService(i.answers); err != nil {
			return err
		}
		started = true
	}
	fmt.Fprintf(out, "%s is served on %s, by %s.\n", i.library, i.listen, i.config)
	if !started {
		fmt.Fprintf(out, "\nStart it with:\n\n    %s serve --config %s\n", filepath.Base(os.Args[0]), i.config)
	}
	printConnect(out, connection{s, i.account, i.host, ""})
	fmt.Fprintf(out, "\nThe next account: shelfd add NAME KEY\n")
	return nil
}
