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

// TestClientsLogIn has each stock client log in with a key and list. Those that are
// libraries are in libraries_test.go.
func TestClientsLogIn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.put(t, "welcome.txt", []byte("hello"))
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint, err := s.fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	for program, command := range map[string]string{
		"sftp": `echo ls | sftp -F "$CONFIG" -b - shelf`,
		"psftp": `puttygen "$ID" -O private -o "$ID.ppk" &&
			echo ls | psftp -batch -be -hostkey "$FINGERPRINT" -i "$ID.ppk" -P $PORT -b /dev/stdin $ACCOUNT@127.0.0.1`,
		"lftp":   `lftp -e "set sftp:connect-program 'ssh -a -x -F $CONFIG'; open sftp://$ACCOUNT:@shelf; ls; quit"`,
		"curl":   `curl -sS --insecure --user $ACCOUNT: --key "$ID" --pubkey "$ID.pub" sftp://127.0.0.1:$PORT/`,
		"rclone": `rclone lsf ":sftp,host=127.0.0.1,port=$PORT,user=$ACCOUNT,key_file=$ID:"`,
	} {
		t.Run(program, func(t *testing.T) {
			need(t, program)
			cmd := exec.Command("sh", "-c", command)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PORT="+port, "ACCOUNT="+user, "ID="+s.identity, "CONFIG="+s.config,
				"FINGERPRINT="+fingerprint)
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "welcome.txt") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// fingerprint is that of the server's host key.
func (s *server) fingerprint() (string, error) {
	signer, err := readIdentity(filepath.Join(s.state, "ssh_host_ed25519_key"))
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(signer.PublicKey()), nil
}
