package syntax

import (
	"fmt"
	"net/netip"
	"strings"
)

// IPRange is a set of neighbouring addresses of one family.
type IPRange struct{ from, to netip.Addr }

// ParseIPRange reads an address, a CIDR or "from-to", of IPv4 or IPv6.
func ParseIPRange(text string) (IPRange, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return IPRange{a, a}, nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return IPRange{p.Masked().Addr(), lastAddr(p)}, nil
	}
	if from, to, ok := strings.Cut(text, "-"); ok {
		f, errF := netip.ParseAddr(from)
		t, errT := netip.ParseAddr(to)
		if errF == nil && errT == nil && f.BitLen() == t.BitLen() && f.Zone() == "" && t.Zone() == "" && !t.Less(f) {
			return IPRange{f, t}, nil
		}
	}
	return IPRange{}, fmt.Errorf("ip: invalid pattern: %q", text)
}

// lastAddr returns the highest address of a prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(raw) // its length is that of an address
	return a
}

// Contains reports whether the address lies in the range.
func (r IPRange) Contains(a netip.Addr) bool {
	return a.BitLen() == r.from.BitLen() && a.Compare(r.from) >= 0 && a.Compare(r.to) <= 0
}
