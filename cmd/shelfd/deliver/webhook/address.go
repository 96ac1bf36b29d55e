package webhook

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// guard says which addresses may be connected to. A URL is somebody's text, and a
// name leads where its owner says, today here and tomorrow there: so what is looked at
// is the address of each connection, right before it is made.
type guard struct {
	allow []netip.Prefix
	plain bool // without TLS, only to networks that are allowed by name
}

// control implements [net.Dialer.ControlContext].
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address", address)
	}
	return g.check(to.Addr())
}

func (g guard) check(a netip.Addr) error {
	a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	switch {
	case slices.ContainsFunc(g.allow, func(n netip.Prefix) bool { return n.Contains(a.WithZone("")) }):
		return nil
	case !public(a):
		return fmt.Errorf("the address %s is not public; if it is meant, name its network in allow_networks", a)
	case g.plain:
		return fmt.Errorf("without TLS nothing is sent to %s; use https://, or name its network in allow_networks", a)
	}
	return nil
}

// special are networks of IPv4 that are no part of the public Internet, by the
// registry of RFC 6890.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared, behind the NAT of a carrier
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, where clouds tell secrets
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // of protocols
	"192.0.2.0/24",    // examples
	"192.88.99.0/24",  // relays of 6to4, once
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // examples
	"203.0.113.0/24",  // examples
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// What of IPv6 is public is this, but for what lies in special6. The rest is loopback,
// link-local, unique local, multicast, mapped, or not given out.
var (
	public6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes(
		"2001::/23",     // of protocols; Teredo has an address of IPv4 in it
		"2001:db8::/32", // examples
		"2002::/16",     // 6to4, which has one in it, too
		"3fff::/20",     // examples
	)
)

func prefixes(all ...string) (list []netip.Prefix) {
	for _, text := range all {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// public tells whether an address is of the public Internet.
func public(a netip.Addr) bool {
	within := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(n netip.Prefix) bool { return n.Contains(a) })
	}
	if a.Is4() {
		return !within(special)
	}
	return a.Zone() == "" && public6.Contains(a) && !within(special6)
}
