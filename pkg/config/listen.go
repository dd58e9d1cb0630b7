package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ListenOff is the value of listen that opens no listener: the store can then only be read.
const ListenOff = "off"

// ErrInsecureListen marks an address that the network can reach while nothing guards it.
var ErrInsecureListen = errors.New("insecure listen address")

// CheckListen refuses an address beyond the loopback interface unless insecure says that this is meant.
func CheckListen(listen string, insecure bool) error {
	if insecure || !IsExposed(listen) {
		return nil
	}
	return fmt.Errorf("%w: listen is %s, which other machines can reach, and the listener has neither TLS nor credentials: "+
		"set it to 127.0.0.1:3110, or allow this with woodshed_insecure = true in grafana.ini (--insecure on the command line)", ErrInsecureListen, listen)
}

// IsExposed reports whether other machines may reach the address. A name other than localhost counts as reachable: what
// it resolves to can change.
func IsExposed(listen string) bool {
	if listen == ListenOff {
		return false
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return true
	}
	if strings.EqualFold(host, "localhost") {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.Unmap().IsLoopback()
}

func validateListen(listen string) error {
	if listen == ListenOff {
		return nil
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen: %q is not an address; write for example 127.0.0.1:3110, or off", listen)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return fmt.Errorf("listen: %q has no port between 0 and 65535", listen)
	}
	return nil
}
