package tests

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Whole families of clients could not agree with the server: they lack
// curve25519, ed25519 host keys, or both.

var (
	phpseclib2 = language{"php", "-r", `require "phpseclib/autoload.php";`, "php-phpseclib"}
	netSFTP    = language{"ruby", "-e", `require "net/sftp"`, "ruby-net-sftp"}
)

// olderLibraries do what libraries_test.go has the others do.
var olderLibraries = []clientLibrary{
	// Debian has it without the libraries for curve25519 and ed25519.
	{"Ruby net-sftp", netSFTP, `
Net::SFTP.start(ENV["HOST"], ENV["ACCOUNT"], port: ENV["PORT"].to_i, keys: [ENV["ID"] + "_rsa"], keys_only: true, config: false,
    verify_host_key: :never) do |s|
  puts s.dir.entries("/").map(&:name)
  s.upload!("local", "/new.bin")
  s.upload!("local", "/file")
  s.download!("/file", "back")
end`},

	// It knows no ed25519, neither of the server nor of a person.
	{"phpseclib 2", phpseclib2, `
$s = new phpseclib\Net\SFTP(getenv("HOST"), (int)getenv("PORT"));
$k = new phpseclib\Crypt\RSA();
$k->loadKey(file_get_contents(getenv("ID")."_rsa")) or exit(5);
$s->login(getenv("ACCOUNT"), $k) or exit(1);
echo implode("\n", $s->nlist()), "\n";
$s->put("new.bin", "local", phpseclib\Net\SFTP::SOURCE_LOCAL_FILE) or exit(2);
$s->put("file", "local", phpseclib\Net\SFTP::SOURCE_LOCAL_FILE) or exit(3);
$s->get("file", "back") or exit(4);`},
}

func TestOlderLibrariesCopy(t *testing.T) {
	for _, l := range olderLibraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			l.language.need(t)
			s := serveRSA(t)
			s.put(t, "file", []byte("old"))
			source := content(1, 300_000)
			out, err := s.snippet(t, l.language, source, l.code)
			if err != nil || !strings.Contains("\n"+out, "\nfile\n") {
				t.Fatalf("%v, it lists:\n%s", err, out)
			}
			for _, name := range []string{"new.bin", "file"} {
				if string(s.get(t, name)) != string(source) {
					t.Errorf("%s is not what was put", name)
				}
			}
		})
	}
}

// serveRSA is a server that knows an RSA key of user's, too: id_rsa, as PEM.
func serveRSA(t *testing.T) *server {
	t.Helper()
	need(t, "ssh-keygen")
	dir := t.TempDir()
	must(t, makeKey(filepath.Join(dir, "id")))
	succeed(t, exec.Command("ssh-keygen", "-q", "-t", "rsa", "-b", "3072", "-m", "PEM", "-N", "", "-f", filepath.Join(dir, "id_rsa")))
	must(t, os.WriteFile(filepath.Join(dir, "keys"), slurp(t, filepath.Join(dir, "id.pub"), filepath.Join(dir, "id_rsa.pub")), 0o644))
	s := serveIn(t, dir, `
		library = "library"
		[accounts.ada]
		authorized_keys_file = "keys"`)
	return s
}

// limited are sets of algorithms that clients are limited to, as ssh's options,
// and what is agreed on.
var limited = map[string]struct{ kex, hostKeys, agreedKex, agreedKey string }{
	"FIPS 140-3, as of Red Hat 9": {
		"ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group16-sha512",
		"ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,rsa-sha2-256,rsa-sha2-512", "ecdh-sha2-nistp256", "ecdsa-sha2-nistp256",
	},
	"FIPS, RSA alone":     {"ecdh-sha2-nistp384", "rsa-sha2-512,rsa-sha2-256", "ecdh-sha2-nistp384", "rsa-sha2-512"},
	"curve25519, ECDSA":   {"curve25519-sha256", "ecdsa-sha2-nistp256", "curve25519-sha256", "ecdsa-sha2-nistp256"},
	"curve25519, RSA":     {"curve25519-sha256", "rsa-sha2-256", "curve25519-sha256", "rsa-sha2-256"},
	"nistp256, ed25519":   {"ecdh-sha2-nistp256", "ssh-ed25519", "ecdh-sha2-nistp256", "ssh-ed25519"},
	"JSch 0.1.54":         {"ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group14-sha1", "ssh-rsa,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384", "ecdh-sha2-nistp256", "ecdsa-sha2-nistp256"},
	"as today, preferred": {"ecdh-sha2-nistp256,curve25519-sha256", "ecdsa-sha2-nistp256,ssh-ed25519", "curve25519-sha256", ""},
}

// TestLimitedOpenSSH has OpenSSH's client limited to what others have, as the
// policy of a FIPS machine does.
func TestLimitedOpenSSH(t *testing.T) {
	need(t, "sftp")
	s := serve(t)
	s.put(t, "welcome.txt", []byte("hello"))
	for name, set := range limited {
		t.Run(name, func(t *testing.T) {
			cmd := sftpBatch(s, "ls\n")
			cmd.Args = append(cmd.Args[:1], append([]string{"-v", "-o", "LogLevel=DEBUG1", "-o", "KexAlgorithms=" + set.kex, "-o", "HostKeyAlgorithms=" + set.hostKeys,
				"-o", "UserKnownHostsFile=" + filepath.Join(t.TempDir(), "known_hosts")}, cmd.Args[1:]...)...)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "welcome.txt") {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, agreed := range []string{"kex: algorithm: " + set.agreedKex, "kex: host key algorithm: " + set.agreedKey} {
				if !strings.Contains(string(out), agreed) && name != "as today, preferred" {
					t.Errorf("%q is not agreed:\n%s", agreed, out)
				}
			}
		})
	}
}

// TestModernClientSeesNoOlderAlgorithms: who has curve25519 and ed25519 is
// offered nothing of the NIST curves for the key exchange, and gets the
// ed25519 key.
func TestModernClientSeesNoOlderAlgorithms(t *testing.T) {
	need(t, "ssh")
	s := serve(t)
	out, err := exec.Command("ssh", "-F", s.config, "-vv", "-o", "LogLevel=DEBUG2", "-s", "shelf", "nothing").CombinedOutput()
	if !strings.Contains(string(out), "host key algorithm: ssh-ed25519") {
		t.Fatalf("%v\n%s", err, out)
	}
	_, offer, _ := strings.Cut(string(out), "peer server KEXINIT proposal")
	for line := range strings.Lines(offer) {
		if strings.Contains(line, "KEX algorithms:") && strings.Contains(line, "nistp") {
			t.Errorf("offered: %s", line)
		}
	}
}

// TestHostKeysOfOlderState: a state folder with an ed25519 key alone, as earlier
// versions made it, gets the missing keys, and keeps the one it has.
func TestHostKeysOfOlderState(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	must(t, os.Mkdir(state, 0o700), makeKey(filepath.Join(state, "ssh_host_ed25519_key")))
	before := string(slurp(t, filepath.Join(state, "ssh_host_ed25519_key")))
	s, err := startServer(dir)
	must(t, err)
	t.Cleanup(func() { s.stop() })
	if string(slurp(t, filepath.Join(state, "ssh_host_ed25519_key"))) != before {
		t.Error("the ed25519 key is another one")
	}
	for _, key := range []struct{ file, algorithm string }{{"ssh_host_rsa_key", ssh.KeyAlgoRSASHA256}, {"ssh_host_ecdsa_key", ssh.KeyAlgoECDSA256}} {
		var got ssh.PublicKey
		conn, err := net.Dial("tcp", s.addr)
		must(t, err)
		ssh.NewClientConn(conn, s.addr, &ssh.ClientConfig{User: user, HostKeyAlgorithms: []string{key.algorithm},
			HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error { got = k; return nil }})
		conn.Close()
		signer, err := readIdentity(filepath.Join(state, key.file))
		if err != nil || got == nil || string(got.Marshal()) != string(signer.PublicKey().Marshal()) {
			t.Errorf("%s: the server has %v: %v", key.file, got, err)
		}
	}
}
