package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/local"
)

// The test runs itself anew, since what is given up is given up for good.
const enclosed = "SHELFD_TEST_ENCLOSED"

func TestSandbox(t *testing.T) {
	if dir := os.Getenv(enclosed); dir != "" {
		escape(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSandbox$", "-test.v")
	cmd.Env = append(os.Environ(), enclosed+"="+dir)
	if testing.CoverMode() != "" {
		// A test with -cover writes files at its end. This one can only do so
		// where the sandbox lets it.
		cmd.Args = append(cmd.Args, "-test.gocoverdir="+filepath.Join(dir, "state"))
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == noLandlock {
		if os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != "" {
			t.Fatalf("the sandbox cannot be set up: %s", out)
		}
		t.Skipf("the sandbox cannot be set up: %s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Where accounts come and go with folders of their own, these are read too.
func TestReadsWhereKeyFilesCome(t *testing.T) {
	for file, want := range map[string]string{"/etc/keys/%u": "/etc/keys", "/home/%u/.ssh/authorized_keys": "/home", "/etc/keys": "/etc"} {
		if got := readFolders(config.Settings{AuthorizedKeysFile: file}); len(got) != 1 || got[0] != want {
			t.Errorf("for %s: %q, want %q", file, got, want)
		}
	}
}

const noLandlock = 77

// escape tries, as a bug in a handler would, what the server need not do, and
// then what it must.
func escape(t *testing.T, dir string) {
	library, state, configs := filepath.Join(dir, "library"), filepath.Join(dir, "state"), filepath.Join(dir, "config")
	log := filepath.Join(dir, "log")
	for _, folder := range []string{library, state, configs, log} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(configs, "shelfd.toml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	auth := filepath.Join(log, "auth.log") // of somebody else
	if err := os.WriteFile(auth, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := config.Defaults()
	s.AuditLog = filepath.Join(log, "shelfd.json")
	s.Library, s.State, s.File, s.Sandbox.Word = library, state, filepath.Join(configs, "shelfd.toml"), config.SandboxRequire
	open, err := local.Open(library, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := new(sandbox).open(s); err != nil {
		fmt.Println(err)
		os.Exit(noLandlock)
	}
	for what, err := range map[string]error{
		"read /etc/passwd":      second(os.ReadFile("/etc/passwd")),
		"list the folder above": second(os.ReadDir(dir)),
		"write beside":          os.WriteFile(filepath.Join(dir, "x"), nil, 0o600),
		"write the config":      os.WriteFile(s.File, nil, 0o600),
		"run a program":         exec.Command("/bin/true").Run(),
		"connect":               second(net.Dial("tcp", listener.Addr().String())),
		"read another log":      second(os.ReadFile(auth)),
		"remove another log":    os.Remove(auth),
		"publish another log":   os.Rename(auth, filepath.Join(library, "auth")),
		"link out":              os.Symlink("/etc", filepath.Join(library, "etc")),
	} {
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	upload, err := open.Create(t.Context(), "file", vfs.CreateOptions{Create: true, Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := upload.WriteAt([]byte("x"), 0); err != nil {
		t.Error(err)
	}
	if _, err := upload.Commit(t.Context()); err != nil {
		t.Errorf("an upload is not published: %v", err)
	}
	for range 2 { // its own is made, and added to after a reload
		f, err := os.OpenFile(s.AuditLog, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err == nil {
			_, err = f.WriteString("line\n")
		}
		if err != nil {
			t.Errorf("no line is added to the audit log: %v", err)
		}
		f.Close()
	}
	if _, err := os.ReadFile(s.File); err != nil {
		t.Error(err)
	}
	if _, err := keys.OpenHostKeys(state); err != nil {
		t.Error(err)
	}
	// Digests are saved, and their file is replaced.
	saved := filepath.Join(state, "digests")
	if err := errors.Join(os.WriteFile(saved+".new", nil, 0o600), os.Rename(saved+".new", saved)); err != nil {
		t.Errorf("the state folder cannot be written: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
