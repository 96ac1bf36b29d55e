package connect

import (
	"net"
	"testing"
)

func TestDestination(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]destination{
		"ada@host":                      {"ada", "host", 0, "", false},
		"host":                          {"", "host", 0, "", false},
		"ada@host:22":                   {"ada", "host", 22, "", false},
		"a@b@host":                      {"a@b", "host", 0, "", false},
		"ada@[::1]:22":                  {"ada", "::1", 22, "", false},
		"ada@::1":                       {"ada", "::1", 0, "", false},
		"ada@[2001:db8::25]":            {"ada", "2001:db8::25", 0, "", false},
		"sftp://host":                   {"", "host", 0, "", true},
		"sftp://ada@host:2222/a%20b":    {"ada", "host", 2222, "a b", true},
		"sftp://host/~/in/x":            {"", "host", 0, "in/x", true},
		"sftp://ada@[::1]//srv/x/y.pdf": {"ada", "::1", 0, "/srv/x/y.pdf", true},
	} {
		if got, err := parseDestination(in); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

// Only a port in the URL itself counts more than the flag, and that more than
// ssh_config.
func TestPorts(t *testing.T) {
	config, err := readSSHConfig(silent{}, configured(t, "Host alias", "Port 3", "User ada"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		where string
		flag  int
		port  string
	}{
		{"sftp://alias:1", 2, "1"}, {"sftp://alias", 2, "2"}, {"sftp://alias", 0, "3"}, {"sftp://ada@other", 0, "22"},
		{"alias:1", 2, "1"}, {"alias", 2, "2"}, {"alias", 0, "3"}, {"ada@other", 0, "2222"},
	} {
		d, err := parseDestination(row.where)
		if err != nil {
			t.Fatal(err)
		}
		to, err := config.resolve(d, Options{Port: row.flag}, d.usualPort())
		if _, port, _ := net.SplitHostPort(to.addr); err != nil || port != row.port {
			t.Errorf("%s with -p %d: %s, %v; want port %s", row.where, row.flag, to.addr, err, row.port)
		}
	}
}
