package main

import (
	"net"
	"testing"
)

// What is no destination is refused, and what was meant is named.
func TestNoDestination(t *testing.T) {
	s := newServer(t, nil)
	for _, row := range []struct {
		args []string
		says string
	}{
		{[]string{"ssh://ada@host/x"}, "write sftp://ada@host/x"},
		{[]string{"http://host"}, "write sftp://host"},
		{[]string{"ada@host:a.txt"}, "to get that file: shelf ada@host get a.txt"},
		{[]string{"ada@host:"}, "ada@host: is no destination"},
		{[]string{"-p", "0", "host"}, `port 0 is not a number from 1 to 65535`},
		{[]string{"-p", "65536", "host"}, `port 65536 is not`},
	} {
		status, _, errs := s.run(t, "", append(row.args, "list")...)
		want(t, status, exitUsage, errs, row.says)
	}
}

// Only a port in the URL itself counts more than the flag, and that more than
// ssh_config.
func TestPorts(t *testing.T) {
	config, err := readSSHConfig(&ui{}, configured(t, "Host alias", "Port 3", "User ada"))
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
		to, err := config.resolve(d, options{port: row.flag}, d.usualPort())
		if _, port, _ := net.SplitHostPort(to.addr); err != nil || port != row.port {
			t.Errorf("%s with -p %d: %s, %v; want port %s", row.where, row.flag, to.addr, err, row.port)
		}
	}
}
