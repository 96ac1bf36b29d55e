package main

import (
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// target is whom to connect to, all questions answered.
type target struct {
	user, host     string
	addr           string // host:port
	identities     []string
	certificates   []string
	identitiesOnly bool
	knownHosts     []string // files of trusted host keys
	newHosts       string   // the one where new keys go; "" is nowhere
	newKeys        string   // ask, accept or refuse
	learns         bool     // further keys that the host announces
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
	if t.host, err = canonical(t.host); err != nil {
		return t, err
	}
	if t.user == "" {
		t.user = firstOf(o.user, c.get(d.host, "User"), localUser())
	}
	if t.port(d, o, c.get(d.host, "Port"), port); t.user == "" {
		return t, usageErrorf("as whom? write user@%s", printable(d.host))
	}
	for _, word := range []string{"RevokedHostKeys", "HostKeyAlias", "KnownHostsCommand"} {
		if value := c.get(d.host, word); value != "" && value != "none" {
			return t, usageErrorf("ssh_config has %s for %s, which shelf does not follow, and to trust another key would be wrong; -F none reads no file", word, printable(d.host))
		}
	}
	t.newKeys = newKeysOf(c.get(d.host, "StrictHostKeyChecking"), o.acceptNew)
	t.learns = strings.EqualFold(firstOf(c.get(d.host, "UpdateHostKeys"), "yes"), "yes")
	t.identities = append(t.identities, o.identities...)
	t.identities = append(t.identities, t.expand(c.getAll(d.host, "IdentityFile"))...)
	t.certificates = t.expand(c.getAll(d.host, "CertificateFile"))
	t.hostFiles(o, c.list(d.host, "UserKnownHostsFile"), c.list(d.host, "GlobalKnownHostsFile"))
	return t, t.proxies(d, firstOf(o.jump, c.get(d.host, "ProxyJump")), c.get(d.host, "ProxyCommand"))
}

// canonical is a host's name or address in the one way in which known_hosts has
// it. What would mean more there than one host is no name.
func canonical(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String(), nil
	}
	odd := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`,*?!|@#'"\`, r) }
	if strings.ContainsFunc(host, odd) {
		return "", usageErrorf("%s is no name of a host", printable(host))
	}
	return strings.ToLower(host), nil
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

// proxies are those between us and the host. To go without a command that leads
// there would be to go another way than the person wants.
func (t *target) proxies(d destination, jump, command string) error {
	switch {
	case jump == "" && command != "" && command != "none":
		return usageErrorf("ssh_config has a ProxyCommand for %s, and shelf runs none; -J HOST goes by way of a host, -J none directly", printable(d.host))
	case jump != "" && jump != "none":
		t.jumps = strings.Split(jump, ",")
	}
	return nil
}

// hostFiles are those of trusted host keys: the person's, then the system's.
func (t *target) hostFiles(o options, own, global []string) {
	if o.knownHosts != "" {
		t.knownHosts, t.newHosts = []string{o.knownHosts}, o.knownHosts
		return
	}
	if own == nil {
		own = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	if global == nil {
		global = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	t.knownHosts = t.expand(own)
	t.newHosts = firstOf(t.knownHosts...)
	t.knownHosts = append(t.knownHosts, t.expand(global)...)
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
