package install

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// The configuration in the packages is the one that init would write, so that
// init may write another over it.
func TestPackagedConfiguration(t *testing.T) {
	packaged, err := os.ReadFile("../../../contrib/package/shelfd.toml")
	if err != nil {
		t.Fatal(err)
	}
	if text := systemAnswers().text(); text != string(packaged) {
		t.Errorf("init writes:\n%s\nin the packages is:\n%s", text, packaged)
	}
}

// server is the configuration of a server in a folder of the test, with a key.
func server(t *testing.T) (dir, file, public string) {
	t.Helper()
	dir = t.TempDir()
	a := answers{filepath.Join(dir, "shelfd.toml"), dir + `/a "library"`, "127.0.0.1:2222", filepath.Join(dir, "state"), ""}
	for _, folder := range []string{"keys", `a "library"`, "state"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(a.config, []byte(a.text()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, public, err := newKey("bob")
	if err != nil {
		t.Fatal(err)
	}
	return dir, a.config, public
}

func TestAdd(t *testing.T) {
	dir, file, public := server(t)
	a := adding{config: file}
	var out bytes.Buffer
	if err := a.addKey("bob", []string{public}, nil, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "SHA256:") || !strings.Contains(out.String(), "sftp -P 2222 bob@127.0.0.1") {
		t.Errorf("it says:\n%s", &out)
	}
	if err := a.addKey("bob", []string{public}, nil, &out); err == nil || !strings.Contains(err.Error(), "--append") {
		t.Errorf("a second key without --append: %v", err)
	}
	a.more = true
	_, second, _ := newKey("bob's other")
	if err := a.addKey("bob", nil, strings.NewReader(second+"\n"), &out); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(dir, "keys/bob"))
	if err != nil || string(written) != public+"\n"+second+"\n" {
		t.Errorf("the key file is %q (%v)", written, err)
	}
}

// What is no key, or no name, leaves no file behind, and no private key is shown.
func TestAddRefuses(t *testing.T) {
	dir, file, public := server(t)
	private, _, err := newKey("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "id"), private, 0o600); err != nil {
		t.Fatal(err)
	}
	a := adding{config: file}
	for account, key := range map[string]string{
		"../bob": public, "bob.old": public, "": public, ".bob": public,
		"bob": "ssh-ed25519 nonsense", "eve": filepath.Join(dir, "id"),
	} {
		if err := a.addKey(account, []string{key}, nil, os.Stderr); err == nil {
			t.Errorf("%q with the key %q was added", account, key)
		} else if strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "keys")); len(left) > 0 {
		t.Errorf("there are files: %v", left)
	}
}

// An invitation makes an account that can put files, for a time, and changes
// nothing else. Its key is in no file of the server.
func TestInvite(t *testing.T) {
	dir, file, public := server(t)
	a := adding{config: file, expires: 1e9 * 3600}
	if err := a.addKey("bob", []string{public}, nil, os.Stderr); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := a.inviteOne("guest.1", &out); err != nil {
		t.Fatal(err)
	}
	s, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	guest, ok := s.Accounts["guest.1"]
	if !ok || len(guest.Permissions) != 1 || guest.Permissions[0] != (config.Permission{Word: "dropbox"}) || guest.Expires == nil || len(guest.AuthorizedKeys) != 1 {
		t.Errorf("the account is %+v", guest)
	}
	for _, want := range []string{"BEGIN OPENSSH PRIVATE KEY", "sftp -i guest.1.key -P 2222 guest.1@127.0.0.1", "shelf -i guest.1.key -p 2222 guest.1@127.0.0.1 put FILE"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("what is printed does not have %q:\n%s", want, &out)
		}
	}
	if text, _ := os.ReadFile(file); bytes.Contains(text, []byte("PRIVATE")) {
		t.Error("the private key is in the configuration")
	}
	for _, name := range []string{"guest.1", "bob"} {
		if err := a.inviteOne(name, &out); err == nil {
			t.Errorf("%s was invited, though there is such an account", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "keys/guest.1")); err == nil {
		t.Error("there is a key file, which would make an editor until the reload")
	}
}

// A configuration with a mistake is not extended.
func TestInviteKeepsMistakes(t *testing.T) {
	_, file, _ := server(t)
	wrong := []byte("listen = 5\n")
	if err := os.WriteFile(file, wrong, 0o600); err != nil {
		t.Fatal(err)
	}
	a := adding{config: file}
	if err := a.inviteOne("guest", os.Stderr); err == nil {
		t.Error("it was extended")
	}
	if now, _ := os.ReadFile(file); string(now) != string(wrong) {
		t.Errorf("it is now %q", now)
	}
}

// A library elsewhere, and a port below 1024, need more than the unit allows.
func TestExtra(t *testing.T) {
	a := systemAnswers()
	if extra := extraOf(a); extra != "" {
		t.Errorf("a usual server needs\n%s", extra)
	}
	a.listen, a.library = ":22", "/home/ada/a library"
	for _, want := range []string{"AmbientCapabilities=CAP_NET_BIND_SERVICE\n", "ReadWritePaths=\"/home/ada/a library\"\n", "ProtectHome=no\n"} {
		if extra := extraOf(a); !strings.Contains(extra, want) {
			t.Errorf("%q is not in\n%s", want, extra)
		}
	}
}

func TestQuestions(t *testing.T) {
	var out bytes.Buffer
	a := answers{library: "/srv/files", listen: ":2222"}
	err := ask(strings.NewReader("\nnonsense\n127.0.0.1:2022\n"), &out, []question{
		{"Folder", &a.library, checkLibrary}, {"Address", &a.listen, checkListen},
	})
	if err != nil || a.library != "/srv/files" || a.listen != "127.0.0.1:2022" {
		t.Errorf("the answers are %+v (%v)\n%s", a, err, &out)
	}
	for _, path := range []string{"/", "/etc", "files", "/home/"} {
		if checkLibrary(path) == nil {
			t.Errorf("%s would be served", path)
		}
	}
	if keys.CheckFileName(person{name: "root"}.account()) != nil {
		t.Error("the account of root has no usable name")
	}
}

// A line that counts for nothing is no reason to refuse those beside it.
func TestAddWithAnOddLine(t *testing.T) {
	_, file, public := server(t)
	a := adding{config: file}
	if err := a.addKey("bob", nil, strings.NewReader("# bob's\nssh-dss AAAA old\n"+public+"\n"), os.Stderr); err != nil {
		t.Error(err)
	}
}
