package keys

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

func TestHostKeyIsMadeOnceAndKept(t *testing.T) {
	state := filepath.Join(t.TempDir(), "some", "state")
	first, err := HostKey(state)
	if err != nil {
		t.Fatal(err)
	}
	again, err := HostKey(state)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ssh.FingerprintSHA256(first.PublicKey()), ssh.FingerprintSHA256(again.PublicKey()); a != b {
		t.Errorf("the key changed from %s to %s", a, b)
	}
	wantMode(t, state, 0o700)
	wantMode(t, filepath.Join(state, hostKeyName), 0o600)
	entries, err := os.ReadDir(state)
	if err != nil || len(entries) != 1 {
		t.Errorf("the state folder holds %v (%v), want the key alone", entries, err)
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
	}
}

// Two servers that start at once in one state folder must not each keep a key
// of its own: after the next start one of them would be another host.
func TestHostKeyIsOneForAllWhoStartAtOnce(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	var all sync.WaitGroup
	prints := make([]string, 16)
	for i := range prints {
		all.Go(func() {
			key, err := HostKey(state)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = ssh.FingerprintSHA256(key.PublicKey())
		})
	}
	all.Wait()
	for _, print := range prints {
		if print != prints[0] {
			t.Fatalf("several keys were used: %v", prints)
		}
	}
}

func TestHostKeyRefused(t *testing.T) {
	other := filepath.Join(t.TempDir(), "elsewhere")
	if _, err := HostKey(other); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(other, hostKeyName))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		put  func(path string) error
		want string // in the reason
	}{
		"readable by the group": {func(p string) error { return put(p, good, 0o640) }, "run: chmod 600"},
		"readable by others":    {func(p string) error { return put(p, good, 0o604) }, "run: chmod 600"},
		"writable by others":    {func(p string) error { return put(p, good, 0o602) }, "others may write it"},
		"a link":                {func(p string) error { return os.Symlink(filepath.Join(other, hostKeyName), p) }, "symbolic link"},
		"a FIFO":                {func(p string) error { return unix.Mkfifo(p, 0o600) }, "not a regular file"},
		"a folder":              {func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file"},
		"empty":                 {func(p string) error { return put(p, nil, 0o600) }, "not a private key"},
		"garbage":               {func(p string) error { return put(p, []byte("hello\n"), 0o600) }, "not a private key"},
		"huge":                  {func(p string) error { return put(p, make([]byte, maxHostKey+1), 0o600) }, "larger than"},
		"in a folder for all": {func(p string) error {
			return firstOf(put(p, good, 0o600), os.Chmod(filepath.Dir(p), 0o777))
		}, "run: chmod go-w"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			if err := test.put(filepath.Join(state, hostKeyName)); err != nil {
				t.Fatal(err)
			}
			_, err := HostKey(state)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a refusal that says %q", err, test.want)
			}
		})
	}
}

// put writes a file with exactly that mode, whatever the umask.
func put(path string, content []byte, mode os.FileMode) error {
	return firstOf(os.WriteFile(path, content, 0o600), os.Chmod(path, mode))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
