package main

import "testing"

// What is no destination is refused, and what was meant is named.
func TestNoDestination(t *testing.T) {
	s := newServer(t, nil)
	for _, row := range []struct {
		args []string
		says string
	}{
		{[]string{"ssh://ada@host/x"}, "write sftp://ada@host/x"},
		{[]string{"http://host"}, "write sftp://host"},
		{[]string{"ada@host:a.txt"}, "to get a file of that name: shelf ada@host get a.txt"},
		{[]string{"ada@host:"}, "ada@host: is not a server"},
		{[]string{"-p", "0", "host"}, `port 0 is not a number from 1 to 65535`},
		{[]string{"-p", "65536", "host"}, `port 65536 is not`},
	} {
		status, _, errs := s.run(t, "", append(row.args, "list")...)
		want(t, status, exitUsage, errs, row.says)
	}
}
