package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kind is a server program, and how to run it.
type kind struct {
	name    string
	command func(s *server) (*exec.Cmd, error)
}

// kinds are the servers that there are, shelfd first.
func kinds(shelfd string) []kind {
	all := []kind{{"shelfd", func(s *server) (*exec.Cmd, error) { return shelfdCommand(shelfd, s), nil }}}
	if before := os.Getenv("BEFORE"); before != "" {
		all = append(all, kind{"before", func(s *server) (*exec.Cmd, error) { return shelfdCommand(before, s), nil }})
	}
	if sshd, err := exec.LookPath("/usr/sbin/sshd"); err == nil {
		all = append(all, kind{"openssh", func(s *server) (*exec.Cmd, error) { return opensshCommand(sshd, s) }})
	}
	if rclone := os.Getenv("RCLONE"); rclone != "" {
		all = append(all, kind{"rclone", func(s *server) (*exec.Cmd, error) { return rcloneCommand(rclone, s), nil }})
	}
	return all
}

// server is one that runs.
type server struct {
	kind    kind
	dir     string // all it needs lies there
	library string // the folder it serves
	remote  string // what that folder is called over SFTP, with a slash at its end
	key     string // file of the private key that logs in
	user    string
	port    int
	args    []string // more, for shelfd

	cmd *exec.Cmd
}

// start runs a server in dir, over a library that prepare may fill first.
func (b *bench) start(k kind, dir string, prepare func(library string) error, args ...string) (*server, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	s := &server{kind: k, dir: dir, library: filepath.Join(dir, "library"), remote: "/", key: b.key, user: me.Username, args: args}
	if err := os.MkdirAll(s.library, 0o755); err != nil {
		return nil, err
	}
	if prepare != nil {
		if err := prepare(s.library); err != nil {
			return nil, err
		}
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	if s.cmd, err = k.command(s); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.await()
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// await waits until the server lets somebody in.
func (s *server) await() error {
	var err error
	for range 100 {
		var c *client
		if c, err = s.connect(); err == nil {
			return c.close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("does not serve: %w\n%s", err, log)
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
	os.RemoveAll(s.dir)
}

// cpu is the processor time of the server and its children, ended ones too.
func (s *server) cpu() time.Duration {
	_, cpu := tree(s.cmd.Process.Pid)
	return cpu
}

// settle waits until the processes of connections that have ended are gone.
func (s *server) settle() {
	for range 200 {
		if pids, _ := tree(s.cmd.Process.Pid); len(pids) == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func shelfdCommand(program string, s *server) *exec.Cmd {
	args := []string{"serve", "--listen", s.addr(), "--library", s.library, "--state", filepath.Join(s.dir, "state"),
		"--user", s.user, "--authorized-keys", s.key + ".pub", "--log-level", "warn"}
	return exec.Command(program, append(args, s.args...)...)
}

// sshdConfig leaves OpenSSH's settings alone but for where its files are, and
// for limits that a benchmark would run into.
const sshdConfig = `Port %d
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 1000
Subsystem sftp %s
`

func opensshCommand(program string, s *server) (*exec.Cmd, error) {
	s.remote = s.library + "/"
	host := filepath.Join(s.dir, "host_key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("ssh-keygen: %w\n%s", err, out)
	}
	if os.Geteuid() == 0 { // where sshd confines its processes; its service makes it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(s.dir, "sshd_config")
	text := fmt.Sprintf(sshdConfig, s.port, host, s.key+".pub", sftpServer())
	return exec.Command(program, "-D", "-e", "-f", config), os.WriteFile(config, []byte(text), 0o600)
}

// sftpServer is where OpenSSH's sftp-server lies.
func sftpServer() string {
	for _, path := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "/usr/libexec/sftp-server"
}

func rcloneCommand(program string, s *server) *exec.Cmd {
	c := exec.Command(program, "serve", "sftp", s.library, "--addr", s.addr(), "--user", s.user, "--authorized-keys", s.key+".pub",
		"--config", filepath.Join(s.dir, "rclone.conf"), "--cache-dir", filepath.Join(s.dir, "cache"))
	c.Env = append(os.Environ(), "HOME="+s.dir)
	return c
}

// options of the stock clients.
func (s *server) options() []string {
	return strings.Fields(fmt.Sprintf("-q -F none -i %s -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -P %d",
		s.key, s.port))
}
