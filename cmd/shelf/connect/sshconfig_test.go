package connect

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// resolved is what a configuration makes of a destination, and what is warned.
func resolved(t *testing.T, file, where string) (to target, warned string, err error) {
	t.Helper()
	var errs bytes.Buffer
	c, err := readSSHConfig(warnings{out: &errs}, file)
	if err != nil {
		return target{}, errs.String(), err
	}
	d, err := parseDestination(where)
	if err != nil {
		t.Fatal(err)
	}
	to, err = c.resolve(d, Options{}, d.usualPort())
	return to, errs.String(), err
}

// warnings collects what is warned.
type warnings struct {
	silent
	out io.Writer
}

func (w warnings) Warnf(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// configured writes an ssh_config.
func configured(t *testing.T, lines ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "ssh_config")
	save(t, file, strings.Join(lines, "\n")+"\n")
	return file
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// What ssh_config(5) says is followed: the first line counts, quotes keep
// spaces, tokens are replaced, files include others.
func TestSSHConfig(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	os.Mkdir(filepath.Join(home, ".ssh"), 0o700)
	save(t, filepath.Join(home, ".ssh", "more"), "Host inner\nUser eve\nHost *\nPort 4\n")
	file := configured(t,
		"# comment",
		"Host files !x",
		"  HostName=%h.example.com",
		"  User\tada # the first",
		`  IdentityFile "`+home+`/my keys/id"`,
		"  IdentityFile ~/.ssh/%h-%r",
		"  CertificateFile '~/a b.pub'",
		`  UserKnownHostsFile "/one two" /three\"`,
		"  GlobalKnownHostsFile none",
		"  ProxyJump a,b:2",
		"  StrictHostKeyChecking Yes",
		"  Include more",
		"Match host other,inner",
		"  Include more missing",
		"Host none",
		"  UserKnownHostsFile none",
		"  ProxyCommand none",
		"Match all",
		"  User bob",
		"  IdentitiesOnly yes")
	to, warned, err := resolved(t, file, "files")
	mustEqual(t, "error", err, error(nil))
	mustEqual(t, "warned", warned, "")
	mustEqual(t, "address", to.String(), "ada@files.example.com:4")
	mustEqual(t, "identities", to.identities, []string{home + "/my keys/id", home + "/.ssh/files.example.com-ada"})
	mustEqual(t, "certificates", to.certificates, []string{home + "/a b.pub"})
	mustEqual(t, "known hosts", to.knownHosts, []string{"/one two", `/three"`})
	mustEqual(t, "new hosts", to.newHosts, "/one two")
	mustEqual(t, "jumps", to.jumps, []string{"a", "b:2"})
	mustEqual(t, "new keys", to.newKeys, "refuse")
	mustEqual(t, "identities only", to.identitiesOnly, true)
	for where, want := range map[string]string{"inner": "eve@inner:4", "other": "bob@other:4", "x": "bob@x:2222"} {
		to, _, _ := resolved(t, file, where)
		mustEqual(t, where, to.String(), want)
	}
	to, _, err = resolved(t, file, "none")
	mustEqual(t, "error", err, error(nil))
	mustEqual(t, "known hosts of none", to.knownHosts, []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"})
	mustEqual(t, "new hosts of none", to.newHosts, "")
}

// A block for what we cannot tell is left out, and said to be; the rest of the
// file counts.
func TestMatchLeftOut(t *testing.T) {
	for _, match := range []string{"exec true", "host files exec true", "canonical all", "user ada", "nonsense", ""} {
		file := configured(t, "Match "+match, "  User eve", "  ProxyCommand nc", "Host files", "  User ada")
		to, warned, err := resolved(t, file, "files:22")
		mustEqual(t, match, to.user, "ada")
		mustEqual(t, match, err, error(nil))
		if want := "line 1: the lines below \"Match " + match + "\" are ignored"; !strings.Contains(warned, want) {
			t.Errorf("%q is not in %q", want, warned)
		}
	}
	to, warned, _ := resolved(t, configured(t, "Match final all", "User eve"), "files:22")
	mustEqual(t, "final", to.user, "eve")
	mustEqual(t, "final", warned, "")
}

// A host has one name, however it is written, and no name means several.
func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"Files.Example.COM": "files.example.com", "2001:DB8:0::1": "2001:db8::1", "192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "::ffff:192.0.2.7",
	} {
		got, err := canonical(in)
		mustEqual(t, in, got, want)
		mustEqual(t, "error for "+in, err, error(nil))
	}
	for _, in := range []string{"a,b", "*", "a b", "a\nb", "!a", "|1|x", "@revoked", "a?", "#a", `a\b`, ""} {
		if got, err := canonical(in); err == nil && in != "" {
			t.Errorf("%q is %q", in, got)
		}
	}
	to, _, err := resolved(t, "none", "ada@Files.Example:22")
	mustEqual(t, "error", err, error(nil))
	mustEqual(t, "address", to.addr, "files.example:22")
}

// What cannot be followed is said, and not passed over.
func TestSSHConfigRefused(t *testing.T) {
	circle := filepath.Join(t.TempDir(), "circle")
	save(t, circle, "Include "+circle+"\n")
	for file, says := range map[string]string{
		configured(t, "ProxyCommand nc %h %p"): "has a ProxyCommand for files, which shelf does not support",
		configured(t, "HostKeyAlias other"):    "has HostKeyAlias for files, which shelf does not support",
		configured(t, "RevokedHostKeys /x"):    "has RevokedHostKeys for files",
		configured(t, `IdentityFile "open`):    "line 1: a quote is not closed",
		circle:                                 "includes itself",
		filepath.Join(t.TempDir(), "absent"):   "no such file",
	} {
		_, _, err := resolved(t, file, "ada@files")
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}
