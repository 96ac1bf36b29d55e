package main

import "testing"

// A ProxyCommand is not passed over, unless a flag says how to connect.
func TestProxyCommand(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	status, _, errs := s.run(t, "", "-F", configured(t, "ProxyCommand nc %h %p"), s.addr, "list")
	want(t, status, exitUsage, errs, "ProxyCommand")
	status, _, errs = s.run(t, "", "-F", configured(t, "ProxyCommand nc %h %p"), "-J", "none", s.addr, "list")
	want(t, status, 0, errs)
}
