package slots

import (
	"hash/maphash"
	"net/netip"
	"slices"
)

// levels is how many networks of an address are looked at.
const levels = 3

// nets are the networks of an address, from narrow to wide, each as a number:
// what is remembered of some hundred thousand of them should be small. The
// numbers hang on a seed, so that nobody can choose two that are the same.
type nets [levels]uint64

// seed makes the numbers of networks.
type seed struct{ maphash.Seed }

// scale is what a network of a level owes before it weighs as much as one
// address that owes 1: many honest people share a wide one.
func scale(level int) float64 { return float64(int(1) << (4 * level)) }

// narrowest is the network that counts as one source.
func (n nets) narrowest() uint64 { return n[0] }

// credited are the networks that are known after a login: not the widest, which
// is too many people's.
func (n nets) credited() []uint64 { return n[:levels-1] }

func (t seed) nets(address netip.Addr, r Rules) (n nets) {
	narrow, step := r.BitsIPv4, 8
	if address.Is6() {
		narrow, step = r.BitsIPv6, 16
	}
	for i := range n {
		n[i] = t.number(address, max(0, narrow-i*step), i)
	}
	return n
}

// number is that of the network of a level that an address is in. Those without
// an address are all in one network.
func (t seed) number(address netip.Addr, length, level int) uint64 {
	var key [18]byte
	if network, err := address.Prefix(length); err == nil {
		raw := network.Addr().As16()
		copy(key[:], raw[:])
	}
	key[16], key[17] = byte(level), byte(address.BitLen())
	return maphash.Bytes(t.Seed, key[:])
}

// Contains tells whether an address is in one of some networks.
func Contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
