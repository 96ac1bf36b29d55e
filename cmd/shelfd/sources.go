package main

import (
	"fmt"
	"net/netip"

	"shelf/keys"
	"shelf/sshd"
)

// network is an address, or a network in CIDR form.
type network struct{ netip.Prefix }

func (n *network) UnmarshalText(text []byte) error {
	if address, err := netip.ParseAddr(string(text)); err == nil {
		address = address.Unmap()
		n.Prefix = netip.PrefixFrom(address, address.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	prefix = keys.Unmap(prefix)
	if err != nil {
		return fmt.Errorf("%q is not an address or network such as 192.0.2.7 or 10.0.0.0/8", text)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf("%q has bits set beyond its length; %s is the network", text, prefix.Masked())
	}
	n.Prefix = prefix
	return nil
}

func prefixes(networks []network) (all []netip.Prefix) {
	for _, n := range networks {
		all = append(all, n.Prefix)
	}
	return all
}

func networksOf(prefixes []netip.Prefix) (all []network) {
	for _, p := range prefixes {
		all = append(all, network{p})
	}
	return all
}

// netBlockSize is written "32:64": bits of IPv4, and of IPv6.
type netBlockSize sshd.NetBlockSize

func (b *netBlockSize) UnmarshalText(text []byte) error {
	if n, err := fmt.Sscanf(string(text)+"\n", "%d:%d\n", &b.IPv4, &b.IPv6); n != 2 || err != nil ||
		b.IPv4 < 0 || b.IPv4 > 32 || b.IPv6 < 0 || b.IPv6 > 128 {
		return fmt.Errorf("%q is not IPv4 bits:IPv6 bits, as 32:64", text)
	}
	return nil
}

func (b netBlockSize) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d:%d", b.IPv4, b.IPv6), nil
}

// penalties are those of sshd_config(5), PerSourcePenalties.
type penalties struct {
	AuthFail      duration `toml:"auth_fail"`
	NoAuth        duration `toml:"no_auth"`
	GraceExceeded duration `toml:"grace_exceeded"`
	Min           duration `toml:"min"`
	Max           duration `toml:"max"`
	MaxSources    uint32   `toml:"max_sources"`
}

func penaltiesOf(p sshd.Penalties) penalties {
	return penalties{
		AuthFail: duration{p.AuthFail}, NoAuth: duration{p.NoAuth}, GraceExceeded: duration{p.GraceExceeded},
		Min: duration{p.Min}, Max: duration{p.Max}, MaxSources: uint32(p.MaxSources),
	}
}

func (p penalties) penalties(exempt []network) sshd.Penalties {
	return sshd.Penalties{
		AuthFail: p.AuthFail.Duration, NoAuth: p.NoAuth.Duration, GraceExceeded: p.GraceExceeded.Duration,
		Min: p.Min.Duration, Max: p.Max.Duration, MaxSources: int(p.MaxSources), Exempt: prefixes(exempt),
	}
}
