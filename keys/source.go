package keys

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"
)

// Sources is a pattern list (ssh_config(5), PATTERNS) of the addresses from
// which a key may be used: addresses and networks in CIDR form, addresses with
// the wildcards * and ?, and any of these denied by a "!" before it.
//
// Names of hosts are not looked up, since an answer of the DNS is not proof of
// anything; a list with one does not parse.
type Sources struct{ list []source }

type source struct {
	deny    bool
	network netip.Prefix // or, if it is not valid,
	pattern string       // wildcards, matched against the address as text
}

// ParseSources parses such patterns. One that only denies matches nothing.
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
		network = Unmap(network)
		if err == nil && network != network.Masked() {
			err = fmt.Errorf("%q has bits set past its mask; the network is %s", text, network.Masked())
		}
		s.network = network
		return s, err
	}
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap()
		s.network = netip.PrefixFrom(address, address.BitLen())
		return s, nil
	}
	if strings.Trim(strings.ToLower(text), "0123456789abcdef.:*?") != "" || !strings.ContainsAny(text, "*?") {
		return s, fmt.Errorf("%q is not an address or network; names of hosts are not supported", text)
	}
	s.pattern = strings.ToLower(text)
	return s, nil
}

// allow tells whether an address is matched, and by no pattern that denies.
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
	// No slash and no bracket can be in the pattern, so path.Match has no
	// meaning beyond * and ?.
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
