package tests

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// exchange is a partner's account: in and out are folders of /.
const exchange = `
[libraries.in]
path = "partners/%u/in"
[libraries.out]
path = "partners/%u/out"
[accounts.ada]
authorized_keys_file = "id.pub"
libraries = { in = ["editor"], out = ["reader"] }
`

// serveExchange serves such an account, with the file out/report.
func serveExchange(t *testing.T) (s *server, in, out string) {
	t.Helper()
	dir := t.TempDir()
	in, out = filepath.Join(dir, "partners", user, "in"), filepath.Join(dir, "partners", user, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "report"), []byte("report"), 0o644); err != nil {
		t.Fatal(err)
	}
	return serveIn(t, dir, exchange), in, out
}

// TestClientsShare walks through the clients over two libraries: each puts the file
// "local" into in, fetches out/report, and can't put it into /.
func TestClientsShare(t *testing.T) {
	t.Parallel()
	s, in, _ := serveExchange(t)
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	const ssh = `-F "$CONFIG"`
	remote := `:sftp,host=127.0.0.1,port=$PORT,user=$ACCOUNT,key_file=$ID:`
	const sftpLine = `sftp ` + ssh + ` -b - shelf`
	for name, c := range map[string]struct {
		put    string // local into in, under the name of the client
		get    string // out/report, as report
		refuse string // local into /
		more   string
	}{
		"sftp": {
			put:    `printf 'cd in\nput local sftp\nls\ndf\n' | ` + sftpLine,
			get:    `printf 'ls\nget out/*\ndf in\n' | ` + sftpLine,
			refuse: `echo 'put local' | ` + sftpLine,
			more: `printf 'rename in/sftp in/sftp2\n-rename in/sftp2 out/sftp\n-mkdir in\n-mkdir new\ncopy out/report in/copied\nrename in/sftp2 in/sftp\n' | ` + sftpLine + ` 2>&1 |
				grep -c 'into another library\|only the operator' | grep -qx 2`,
		},
		"scp": {
			put:    `scp ` + ssh + ` local shelf:in/scp && cp local scp && scp ` + ssh + ` scp shelf:in/`,
			get:    `scp ` + ssh + ` 'shelf:out/*' .`,
			refuse: `scp ` + ssh + ` local shelf:`,
		},
		"scp -O": {
			put:    `scp -O ` + ssh + ` local "shelf:in/scp\ -O" && cp local old && scp -O ` + ssh + ` old shelf:in && scp -O ` + ssh + ` old shelf:in/`,
			get:    `scp -O ` + ssh + ` 'shelf:out/*' .`,
			refuse: `scp -O ` + ssh + ` local shelf:`,
			more:   `ssh ` + ssh + ` shelf 'sha256sum out/*' | grep -q '  out/report$'`,
		},
		"rclone": {
			put:    `rclone copyto local "` + remote + `in/rclone"`,
			get:    `rclone copy "` + remote + `out" .`,
			refuse: `rclone copyto --retries 1 --low-level-retries 1 local "` + remote + `local"`,
			more:   `rclone lsf "` + remote + `" | sort | tr -d '\n' | grep -qx in/out/ && mkdir d && cp local d/synced && rclone copy d "` + remote + `in"`,
		},
		"lftp": {
			put:    `lftp -e "set sftp:connect-program 'ssh -a -x -F $CONFIG'; open sftp://$ACCOUNT:@shelf; cd in && put local -o lftp; quit"`,
			get:    `lftp -e "set sftp:connect-program 'ssh -a -x -F $CONFIG'; open sftp://$ACCOUNT:@shelf; mirror out . ; quit"`,
			refuse: `lftp -e "set net:max-retries 1; set sftp:connect-program 'ssh -a -x -F $CONFIG'; open sftp://$ACCOUNT:@shelf; put local || exit 1; quit 0"`,
			more:   `mkdir d && cp local d/mirrored && lftp -e "set sftp:connect-program 'ssh -a -x -F $CONFIG'; open sftp://$ACCOUNT:@shelf; mirror -R d in; quit"`,
		},
		"shelf": {
			put:    `$SHELF put local to in as shelf && $SHELF list in | grep -q in/shelf`,
			get:    `$SHELF get out/report`,
			refuse: `$SHELF put local`,
			more: `mkdir d && cp local d/shelved && $SHELF sync d to in && test "$($SHELF sync d to in 2>&1)" = "all files are there already" &&
				printf 'cd in\nlist\nspace\n' | $SHELF | grep -q shelved && $SHELF space in | grep -q free && $SHELF info out/report | grep -q sha256`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			need(t, strings.Fields(name)[0])
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "local"), []byte("from "+name), 0o644); err != nil {
				t.Fatal(err)
			}
			run := func(command string) (string, error) {
				cmd := exec.Command("sh", "-c", command)
				cmd.Env = append(os.Environ(), "HOME="+dir, "PORT="+port, "ACCOUNT="+user, "ID="+s.identity, "CONFIG="+s.config,
					"SHELF=shelf -p "+port+" -i "+s.identity+" --known-hosts "+filepath.Join(s.dir, "known_hosts")+" --accept-new "+user+"@127.0.0.1")
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := run(c.put); err != nil {
				t.Fatalf("put: %v\n%s", err, out)
			}
			if got, err := os.ReadFile(filepath.Join(in, name)); err != nil || string(got) != "from "+name {
				t.Errorf("in/%s has %q, %v", name, got, err)
			}
			if out, err := run(c.get + " && grep -qx report report"); err != nil {
				t.Errorf("get: %v\n%s", err, out)
			}
			if out, err := run(c.refuse); err == nil || !strings.Contains(out, "choose one of: in, out") && name != "rclone" && name != "lftp" {
				t.Errorf("put into /: %v\n%s", err, out)
			}
			if out, err := run(c.more); err != nil {
				t.Errorf("more: %v\n%s", err, out)
			}
		})
	}
	entries, err := os.ReadDir(filepath.Dir(in))
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the libraries there is %v, %v", entries, err)
	}
}

// TestSSHFSShare mounts both libraries.
func TestSSHFSShare(t *testing.T) {
	t.Parallel()
	s, in, out := serveExchange(t)
	m := s.mount(t)
	if entries, err := os.ReadDir(m.dir); err != nil || len(entries) != 2 {
		t.Errorf("/ has %v, %v", entries, err)
	}
	if got, err := os.ReadFile(m.in("out/report")); err != nil || string(got) != "report" {
		t.Errorf("out/report has %q, %v", got, err)
	}
	must(t, os.WriteFile(m.in("in/file"), []byte("file"), 0o644), os.Rename(m.in("in/file"), m.in("in/renamed")))
	eventually(t, "the upload", func() bool { got, _ := os.ReadFile(filepath.Join(in, "renamed")); return string(got) == "file" })
	for what, err := range map[string]error{
		"a file in /":                     os.WriteFile(m.in("file"), nil, 0o644),
		"a folder":                        os.Mkdir(m.in("new"), 0o755),
		"a rename into the other library": os.Rename(m.in("in/renamed"), m.in("out/renamed")),
		"a file in out":                   os.WriteFile(m.in("out/file"), nil, 0o644),
	} {
		if err == nil {
			t.Errorf("%s: it was done", what)
		}
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 2 { // report and .shelf
		t.Errorf("out has %v, %v", entries, err)
	}
}

// TestRequestsShare sends what WinSCP sends, and what no client lets a person type.
func TestRequestsShare(t *testing.T) {
	s, in, out := serveExchange(t)
	c := s.dial(t)
	if home, err := c.RealPath("."); err != nil || home != "/" {
		t.Error(home, err)
	}
	all, err := c.ReadDir("/")
	names := slices.Collect(func(yield func(string) bool) {
		for _, i := range all {
			if !i.IsDir() || !yield(i.Name()) {
				return
			}
		}
	})
	if err != nil || strings.Join(names, " ") != "in out" {
		t.Errorf("/ has %q, %v", names, err)
	}
	if i, err := c.Stat("/in"); err != nil || !i.IsDir() {
		t.Error(i, err)
	}
	// WinSCP replaces a large file by way of .filepart.
	write := func(name string, size int64) error {
		f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err == nil {
			_, err = f.Write(content(1, size))
			err = errors.Join(err, f.Close())
		}
		return err
	}
	must(t, write("/in/file.bin", 300_000), write("/in/file.bin.filepart", 200_000), c.Remove("/in/file.bin"),
		c.Rename("/in/file.bin.filepart", "/in/file.bin"), c.Chmod("/in/file.bin", 0o640))
	if i, err := os.Stat(filepath.Join(in, "file.bin")); err != nil || i.Size() != 200_000 {
		t.Error(i, err)
	}
	// Uploads may be open in both, as far as the account may; each is published whole.
	first, err := c.Create("/in/a")
	must(t, err)
	if _, err := c.Create("/out/a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an upload into out: %v", err)
	}
	if i, err := c.Stat("/in/a"); err != nil || i.Size() != 0 {
		t.Errorf("its own upload is not seen: %v, %v", i, err)
	}
	if _, err := c.Stat("/out/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its upload is seen in the other library: %v", err)
	}
	must(t, second(first.Write([]byte("a"))), first.Close())
	for path, want := range map[string]error{"/": nil, "/in": nil, "/out": nil, "/new": nil, "/in/new": nil} {
		status := (*sftp.StatusError)(nil)
		if err := c.Mkdir(path); !errors.As(err, &status) && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("MKDIR of %s: %v, %v", path, err, want)
		}
	}
	if err := c.PosixRename("/in/a", "/out/a"); err == nil {
		t.Error("a file was renamed into another library")
	}
	if _, err := os.Stat(filepath.Join(out, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
