package tests

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// aRelease is what "make dist" makes of this tree, at some commit of its own, with
// a key that signs it.
type aRelease struct {
	folder string // of the files
	key    string // file of the key
}

// oldRelease is a release of this tree, made once, for Linux on amd64.
var oldRelease = sync.OnceValues(func() (aRelease, error) { return makeRelease("old", releaseTime) })

var releaseTime = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// makeRelease copies the tree to a folder of this name, commits it at that time,
// and makes a release of it.
func makeRelease(name string, at time.Time, env ...string) (aRelease, error) {
	cache, err := os.UserCacheDir() // in the home folder of the tests, which goes with them
	if err != nil {
		return aRelease{}, err
	}
	tree := filepath.Join(cache, "release-"+name)
	r := aRelease{filepath.Join(tree, "dist"), filepath.Join(cache, "release-key")}
	if err := commitTree(tree, at); err != nil {
		return r, err
	}
	if _, err := os.Stat(r.key); err != nil {
		if err := makeKey(r.key); err != nil {
			return r, err
		}
	}
	args := []string{"run", "./contrib/release", "-sign", r.key}
	if !*torture {
		args = append(args, "-only", "linux/amd64")
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = tree, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return r, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return r, nil
}

// commitTree copies the files of this tree, as they are now, and commits them.
func commitTree(to string, at time.Time) error {
	listed, err := exec.Command("git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return err
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(top, file))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, file)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "A release"}} {
		cmd := exec.Command("git", args...)
		date := at.Format(time.RFC3339)
		cmd.Dir = to
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a",
			"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return nil
}

// file is the one file of a release with a suffix.
func (r aRelease) file(t *testing.T, suffix string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(r.folder, "*"+suffix))
	if err != nil || len(all) != 1 {
		t.Fatalf("the release has the files %v with %s (%v)", all, suffix, err)
	}
	return all[0]
}

func released(t *testing.T, release func() (aRelease, error)) aRelease {
	t.Helper()
	need(t, "git")
	need(t, "ssh-keygen")
	if testing.Short() {
		t.Skip("short")
	}
	r, err := release()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReleaseIsReproducible makes a release once more, in another folder, and
// wants the same bytes. With -torture it is for all systems, and nothing that was
// compiled for the first is used for the second.
func TestReleaseIsReproducible(t *testing.T) {
	first := released(t, oldRelease)
	env := []string{"TZ=Pacific/Auckland"}
	if *torture {
		env = append(env, "GOCACHE="+t.TempDir())
	}
	second, err := makeRelease("again-in-another-folder", releaseTime, env...)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, folder := range []string{first.folder, second.folder} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	if len(names) < 7 {
		t.Errorf("the release has only %d files", len(names))
	}
	for name := range names {
		one, _ := os.ReadFile(filepath.Join(first.folder, name))
		other, _ := os.ReadFile(filepath.Join(second.folder, name))
		if !bytes.Equal(one, other) {
			t.Errorf("%s differs: %d and %d bytes", name, len(one), len(other))
		}
	}
}

// TestReleaseIsSigned checks the digests and their signature as a person would.
func TestReleaseIsSigned(t *testing.T) {
	r := released(t, oldRelease)
	public := readText(t, r.key+".pub")
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	if err := os.WriteFile(signers, []byte("release@shelf namespaces=\"file\" "+public), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		"sha256sum --strict -c SHA256SUMS",
		"ssh-keygen -Y verify -f " + signers + " -I release@shelf -n file -s SHA256SUMS.sig < SHA256SUMS",
		`test "$(ls | grep -v '^SHA256SUMS')" = "$(cut -d ' ' -f 3 SHA256SUMS)"`,
		"! (cat SHA256SUMS; echo) | ssh-keygen -Y verify -f " + signers + " -I release@shelf -n file -s SHA256SUMS.sig",
	} {
		cmd := exec.Command("sh", "-euc", script)
		cmd.Dir = r.folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, script, out)
		}
	}
}

// TestReleasedPrograms wants programs that run on any Linux and tell nothing of the
// machine that built them, and a list of what is in them.
func TestReleasedPrograms(t *testing.T) {
	r := released(t, oldRelease)
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", r.file(t, "_linux_amd64.tar.gz"), "-C", dir, "--strip-components=1").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, program := range []string{"shelf", "shelfd"} {
		path := filepath.Join(dir, program)
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Errorf("%s is not static", program)
		}
		f.Close()
		content := slurp(t, path)
		for _, secret := range []string{filepath.Dir(r.folder), os.Getenv("GOMODCACHE")} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s has the path %s in it", program, secret)
			}
		}
	}
	var list struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(slurp(t, r.file(t, "_sbom.cdx.json")), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range list.Components {
		names = append(names, c.Name)
	}
	for _, name := range []string{"std", "golang.org/x/crypto", "github.com/pkg/sftp"} {
		if !slices.Contains(names, name) {
			t.Errorf("the list of modules does not have %s: %v", name, names)
		}
	}
}

// TestReleasedPackages has the tools of the packages' systems read them.
func TestReleasedPackages(t *testing.T) {
	r := released(t, oldRelease)
	wanted := []string{"usr/bin/shelfd", "usr/bin/shelf", "etc/shelf/shelfd.toml", "usr/share/man/man8/shelfd.8",
		"usr/share/man/man8/shelfd-deliver.8", "usr/share/bash-completion/completions/shelf", "etc/logrotate.d/shelf"}
	for suffix, list := range map[string][]string{
		".deb": {"dpkg-deb", "--fsys-tarfile"},
		".rpm": {"rpm", "-qpl", "--nosignature"},
		".apk": {"tar", "-tzf"}, // three archives, one after the other
	} {
		need(t, list[0])
		out, err := exec.Command(list[0], append(list[1:], r.file(t, suffix))...).Output()
		if err != nil {
			t.Errorf("%s: %v", suffix, err)
		}
		for _, file := range wanted {
			if !bytes.Contains(out, []byte(file)) {
				t.Errorf("the %s has no %s", suffix, file)
			}
		}
	}
}
