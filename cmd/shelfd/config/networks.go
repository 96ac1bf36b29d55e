package config

import (
	"fmt"
	"net/netip"
)

// Network is an address, or a network in CIDR notation.
type Network struct{ netip.Prefix }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *Network) UnmarshalText(text []byte) error {
	if address, err := netip.ParseAddr(string(text)); err == nil {
		address = address.Unmap()
		n.Prefix = netip.PrefixFrom(address, address.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is not an address or network such as 192.0.2.7 or 10.0.0.0/8", text)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf("%q has bits set beyond its length; %s is the network", text, prefix.Masked())
	}
	n.Prefix = unmap(prefix)
	return nil
}

// Prefixes are networks as values of [netip].
func Prefixes(networks []Network) (all []netip.Prefix) {
	for _, n := range networks {
		all = append(all, n.Prefix)
	}
	return all
}

// NetBlockSize is how many bits of an address make a source. It is written
// "32:64": of IPv4, and of IPv6.
type NetBlockSize struct{ IPv4, IPv6 int }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *NetBlockSize) UnmarshalText(text []byte) error {
	if n, err := fmt.Sscanf(string(text)+"\n", "%d:%d\n", &b.IPv4, &b.IPv6); n != 2 || err != nil ||
		b.IPv4 < 0 || b.IPv4 > 32 || b.IPv6 < 0 || b.IPv6 > 128 {
		return fmt.Errorf("%q is not IPv4 bits:IPv6 bits, as 32:64", text)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (b NetBlockSize) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d:%d", b.IPv4, b.IPv6), nil
}

// unmap is the network of IPv4 that one of IPv6 stands for (RFC 4291 section
// 2.5.5.2), which is how addresses of peers are looked at.
func unmap(network netip.Prefix) netip.Prefix {
	if network.Addr().Is4In6() && network.Bits() >= 96 {
		return netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	return network
}
