package keys

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"
)

// Sources is a list of addresses from which one may log in (ssh_config(5),
// PATTERNS): addresses, networks in CIDR notation, and addresses with the wildcards
// * and ?. With "!" before it, one is denied.
//
// Names of hosts are refused: an answer of the DNS proves nothing.
type Sources struct{ list []source }

type source struct {
	deny    bool
	network netip.Prefix // or, if it is not valid,
	pattern string       // with wildcards, for the address as text
}

// ParseSources parses a list. A list that only denies allows nothing.
func ParseSources(patterns []string) (*Sources, error) {
	s := new(Sources)
	for _, text := range patterns {
		one, err := parseSource(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		s.list = append(s.list, one)
	}
	return s, nil
}

func parseSource(text string) (source, error) {
	var s source
	text, s.deny = strings.CutPrefix(text, "!")
	if text == "" {
		return s, errors.New("it has an empty pattern")
	}
	if strings.Contains(text, "/") {
		network, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return s, fmt.Errorf("%q is not a network such as 192.0.2.0/24 or 2001:db8::/32", text)
		case network != network.Masked():
			return s, fmt.Errorf("%q has bits set beyond its length; %s is the network", text, network.Masked())
		}
		s.network = Unmap(network)
		return s, nil
	}
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap()
		s.network = netip.PrefixFrom(address, address.BitLen())
		return s, nil
	}
	if strings.Trim(strings.ToLower(text), "0123456789abcdef.:*?") != "" || !strings.ContainsAny(text, "*?") {
		return s, fmt.Errorf("%q is not an address or network such as 192.0.2.7 or 192.0.2.0/24; names of hosts are not supported", text)
	}
	s.pattern = strings.ToLower(text)
	return s, nil
}

// allow tells whether an element of the list matches an address, and none that
// denies does.
func (s Sources) allow(from net.Addr) bool {
	address, ok := AddressOf(from)
	if !ok {
		return false
	}
	allowed := false
	for _, one := range s.list {
		if !one.match(address) {
			continue
		}
		if one.deny {
			return false
		}
		allowed = true
	}
	return allowed
}

func (s source) match(address netip.Addr) bool {
	if s.network.IsValid() {
		return s.network.Contains(address)
	}
	// The pattern has no slash and no bracket, so for path.Match only * and ?
	// are special.
	matched, err := path.Match(s.pattern, address.String())
	return err == nil && matched
}

// Unmap is the network of IPv4 that one of IPv6 stands for (RFC 4291 section
// 2.5.5.2), since all addresses of peers are looked at so; others are as they are.
func Unmap(network netip.Prefix) netip.Prefix {
	if network.Addr().Is4In6() && network.Bits() >= 96 {
		return netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	return network
}

// AddressOf is the address of a peer; one that reached an IPv6 socket over IPv4
// counts as what it is.
func AddressOf(a net.Addr) (netip.Addr, bool) {
	if a == nil {
		return netip.Addr{}, false
	}
	peer, err := netip.ParseAddrPort(a.String())
	return peer.Addr().Unmap().WithZone(""), err == nil
}
