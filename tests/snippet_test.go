package tests

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// language runs a few lines that use one client library, as people write them.
type language struct {
	program string
	flag    string // the next argument is the code
	load    string // code that loads the library; it fails where there is none
	install string // what brings the library
}

var (
	paramiko   = language{"/usr/bin/python3", "-c", "import paramiko", "python3-paramiko"}
	asyncSSH   = language{"/usr/bin/python3", "-c", "import asyncssh", "python3-asyncssh"}
	fabric     = language{"/usr/bin/python3", "-c", "import fabric", "python3-fabric"}
	phpSSH2    = language{"php", "-r", `extension_loaded("ssh2") or exit(1);`, "php-ssh2"}
	phpseclib3 = language{"php", "-r", `require "phpseclib3/autoload.php";`, "php-phpseclib3"}
	netForeign = language{"perl", "-e", `use Net::SFTP::Foreign;`, "libnet-sftp-foreign-perl"}
	nodeSSH2   = language{"node", "-e", `const ssh2 = require("ssh2"), Sftp = require("ssh2-sftp-client");`, `"npm ci" in tests/testdata/node`}
)

// need skips, or in CI fails, where the language or the library is missing.
func (l language) need(t testing.TB) {
	t.Helper()
	need(t, l.program)
	if out, err := l.command(t, "").CombinedOutput(); err != nil {
		cannotRun(t, "the library of %s is not installed: %v\n%s", l.install, err, out)
	}
}

// command is the program with code, in a folder of its own.
func (l language) command(t testing.TB, code string) *exec.Cmd {
	t.Helper()
	modules, err := filepath.Abs("testdata/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, l.program, l.flag, l.load+"\n"+code)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "PYTHONWARNINGS=ignore", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Dir = t.TempDir()
	return cmd
}

// snippet runs code against the server and returns what it prints. The code
// finds the server in its environment (see clientEnv), and the file "local", of
// this content, in its folder.
func (s *server) snippet(t testing.TB, l language, local []byte, code string) (stdout string, err error) {
	t.Helper()
	l.need(t)
	cmd := l.command(t, code)
	cmd.Env = append(s.clientEnv(t), cmd.Env[len(os.Environ()):]...)
	if err := os.WriteFile(filepath.Join(cmd.Dir, "local"), local, 0o644); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err = cmd.Run(); err != nil || said.Len() > 0 {
		t.Logf("%s says on stderr (%v):\n%s", l.install, err, &said)
	}
	return out.String(), err
}

// paramikoSession begins a snippet: s is an SFTP session of paramiko's.
const paramikoSession = `
import os
c = paramiko.SSHClient()
c.load_host_keys(os.environ["KNOWN_HOSTS"])
c.connect(os.environ["HOST"], int(os.environ["PORT"]), os.environ["ACCOUNT"],
    key_filename=os.environ["ID"], allow_agent=False, look_for_keys=False)
s = c.open_sftp()`
