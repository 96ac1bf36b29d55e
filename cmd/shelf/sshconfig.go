package main

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// sshConfig is what ssh_config files say; the first that says something counts.
type sshConfig []*ssh_config.Config

// readSSHConfig reads the file that was named, or the person's and the system's.
func readSSHConfig(named string) (all sshConfig, err error) {
	if named == "none" {
		return nil, nil
	}
	files := []string{named}
	if named == "" {
		files = []string{"/etc/ssh/ssh_config"}
		if home, err := os.UserHomeDir(); err == nil {
			files = []string{filepath.Join(home, ".ssh", "config"), files[0]}
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && named == "" {
			continue
		}
		if err != nil {
			return nil, usageErrorf("the configuration is not read: %w", err)
		}
		c, err := ssh_config.DecodeBytes(text)
		if err != nil {
			return nil, usageErrorf("the configuration %s: %w; -F none leaves it out", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// get is the first value of a keyword for a host, or "".
func (c sshConfig) get(host, key string) string {
	for _, one := range c {
		if v, err := one.Get(host, key); err == nil && v != "" {
			return v
		}
	}
	return ""
}

func (c sshConfig) getAll(host, key string) (all []string) {
	for _, one := range c {
		v, _ := one.GetAll(host, key)
		all = append(all, v...)
	}
	return all
}

// target is whom to connect to, all questions answered.
type target struct {
	user, host     string
	addr           string // host:port
	identities     []string
	certificates   []string
	identitiesOnly bool
	knownHosts     []string // the first is where new keys go
	newKeys        string   // ask, accept or refuse
	jumps          []string
}

func (t target) String() string { return t.user + "@" + t.addr }

// resolve adds to what was written what flags and ssh_config say, and what is
// usual: what was written wins, then flags, then the file.
func (c sshConfig) resolve(d destination, o options, port int) (t target, err error) {
	t = target{user: d.user, host: d.host, identitiesOnly: strings.EqualFold(c.get(d.host, "IdentitiesOnly"), "yes")}
	if name := c.get(d.host, "HostName"); name != "" {
		t.host = strings.ReplaceAll(name, "%h", d.host)
	}
	if t.user == "" {
		t.user = firstOf(o.user, c.get(d.host, "User"), localUser())
	}
	if t.port(d, o, c.get(d.host, "Port"), port); t.user == "" {
		return t, usageErrorf("as whom? write user@%s", printable(d.host))
	}
	t.newKeys = newKeysOf(c.get(d.host, "StrictHostKeyChecking"), o.acceptNew)
	t.identities = append(t.identities, o.identities...)
	t.identities = append(t.identities, t.expand(c.getAll(d.host, "IdentityFile"))...)
	t.certificates = t.expand(c.getAll(d.host, "CertificateFile"))
	t.knownHosts = t.hostFiles(o, c.get(d.host, "UserKnownHostsFile"), c.get(d.host, "GlobalKnownHostsFile"))
	if jump := firstOf(o.jump, c.get(d.host, "ProxyJump")); jump != "" && jump != "none" {
		t.jumps = strings.Split(jump, ",")
	}
	return t, nil
}

func (t *target) port(d destination, o options, configured string, usual int) {
	p := d.port
	if p == 0 {
		p = o.port
	}
	if n, err := strconv.Atoi(configured); p == 0 && err == nil {
		p = n
	}
	if p == 0 {
		p = usual
	}
	t.addr = net.JoinHostPort(t.host, strconv.Itoa(p))
}

// newKeysOf says what is done about a host key that is not known.
func newKeysOf(strict string, accept bool) string {
	switch strict = strings.ToLower(strict); {
	case accept || strict == "accept-new" || strict == "no" || strict == "off":
		return "accept"
	case strict == "yes":
		return "refuse"
	}
	return "ask"
}

// hostFiles are those of trusted host keys: the person's, then the system's.
func (t *target) hostFiles(o options, configured, global string) []string {
	if o.knownHosts != "" {
		return []string{o.knownHosts}
	}
	own := t.expand(strings.Fields(configured))
	if len(own) == 0 {
		own = t.expand([]string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"})
	}
	return append(own, t.expand(strings.Fields(firstOf(global, "/etc/ssh/ssh_known_hosts")))...)
}

// expand replaces the tokens of ssh_config(5) that we have values for.
func (t *target) expand(files []string) (all []string) {
	home, _ := os.UserHomeDir()
	host, port, _ := net.SplitHostPort(t.addr)
	tokens := strings.NewReplacer("%%", "%", "%d", home, "%h", host, "%p", port, "%r", t.user, "%u", localUser())
	for _, f := range files {
		if f = tokens.Replace(f); strings.HasPrefix(f, "~/") {
			f = filepath.Join(home, f[2:])
		}
		if f != "none" {
			all = append(all, f)
		}
	}
	return all
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func localUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
