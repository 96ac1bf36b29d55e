package connect

import (
	"cmp"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// target is a server to connect to, with everything known that is needed for it.
type target struct {
	user, host     string
	addr           string // host:port
	identities     []string
	named          bool // the usual identities are not used: others were named, or "none"
	certificates   []string
	identitiesOnly bool
	knownHosts     []string // files of trusted host keys
	newHosts       string   // the file for new keys; "" for none
	newKeys        string   // ask, accept or refuse
	learns         bool     // whether further keys that the host announces are added
	jumps          []string
}

func (t target) String() string { return t.user + "@" + t.addr }

// resolve completes a destination. What the person wrote counts first, then flags,
// then ssh_config, then the defaults.
func (c sshConfig) resolve(d destination, o Options, port int) (t target, err error) {
	t = target{user: d.user, host: d.host, identitiesOnly: strings.EqualFold(c.get(d.host, "IdentitiesOnly"), "yes")}
	if name := c.get(d.host, "HostName"); name != "" {
		t.host = strings.ReplaceAll(name, "%h", d.host)
	}
	if t.host, err = canonical(t.host); err != nil {
		return t, err
	}
	if t.user == "" {
		t.user = cmp.Or(c.get(d.host, "User"), localUser())
	}
	if t.port(d, o, c.get(d.host, "Port"), port); t.user == "" {
		return t, usageErrorf("which user? write user@%s", d.host)
	}
	for _, word := range []string{"RevokedHostKeys", "HostKeyAlias", "KnownHostsCommand"} {
		if value := c.get(d.host, word); value != "" && value != "none" {
			return t, usageErrorf("ssh_config has %s for %s, which shelf does not support, and without it a wrong key could be trusted; -F none reads no ssh_config", word, d.host)
		}
	}
	t.newKeys = newKeysOf(c.get(d.host, "StrictHostKeyChecking"), o.AcceptNew)
	t.learns = strings.EqualFold(cmp.Or(c.get(d.host, "UpdateHostKeys"), "yes"), "yes")
	configured := c.getAll(d.host, "IdentityFile")
	t.identities = append(slices.Clone(o.Identities), t.expand(configured)...)
	t.named = len(o.Identities)+len(configured) > 0
	t.certificates = t.expand(c.getAll(d.host, "CertificateFile"))
	t.hostFiles(o, c.list(d.host, "UserKnownHostsFile"), c.list(d.host, "GlobalKnownHostsFile"))
	return t, t.proxies(d, cmp.Or(o.Jump, c.get(d.host, "ProxyJump")), c.get(d.host, "ProxyCommand"))
}

// canonical is the name or address of a host as known_hosts has it. A name that
// could mean several hosts there is refused.
func canonical(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String(), nil
	}
	odd := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`,*?!|@#'"\`, r) }
	if strings.ContainsFunc(host, odd) {
		return "", usageErrorf("%s is not the name of a host", host)
	}
	return strings.ToLower(host), nil
}

// port sets the address.
func (t *target) port(d destination, o Options, configured string, usual int) {
	p := d.port
	if p == 0 {
		p = o.Port
	}
	if n, err := strconv.Atoi(configured); p == 0 && err == nil {
		p = n
	}
	if p == 0 {
		p = usual
	}
	t.addr = net.JoinHostPort(t.host, strconv.Itoa(p))
}

// newKeysOf tells what to do about an unknown host key.
func newKeysOf(strict string, accept bool) string {
	switch strict = strings.ToLower(strict); {
	case accept || strict == "accept-new" || strict == "no" || strict == "off":
		return "accept"
	case strict == "yes":
		return "refuse"
	}
	return "ask"
}

// proxies sets the servers to go through. If a ProxyCommand leads to the host, it
// would be wrong to connect to it in another way.
func (t *target) proxies(d destination, jump, command string) error {
	switch {
	case jump == "" && command != "" && command != "none":
		return usageErrorf("ssh_config has a ProxyCommand for %s, which shelf does not support; use -J HOST to go through a host, or -J none to connect directly", d.host)
	case jump != "" && jump != "none":
		t.jumps = strings.Split(jump, ",")
	}
	return nil
}

// hostFiles sets the files of trusted host keys: first those of the person, then
// those of the system.
func (t *target) hostFiles(o Options, own, global []string) {
	if o.KnownHosts != "" {
		t.knownHosts, t.newHosts = []string{o.KnownHosts}, o.KnownHosts
		return
	}
	if own == nil {
		own = ownHosts()
	}
	if global == nil {
		global = globalHosts()
	}
	t.knownHosts = t.expand(own)
	t.newHosts = cmp.Or(t.knownHosts...)
	t.knownHosts = append(t.knownHosts, t.expand(global)...)
}

// The usual files of trusted host keys.
func ownHosts() []string    { return []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"} }
func globalHosts() []string { return []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"} }

// KnownHostsFiles are the files of trusted host keys of no host in particular: the one
// that is named here or in the options, or the usual ones.
func (o Options) KnownHostsFiles(named string) []string {
	if named = cmp.Or(named, o.KnownHosts); named != "" {
		return []string{named}
	}
	return (&target{}).expand(append(ownHosts(), globalHosts()...))
}

// expand replaces ~ and the tokens of ssh_config(5) that have a value here.
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

func localUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
