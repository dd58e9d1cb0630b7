package lokiapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// hostPolicy keeps web pages away from a listener that trusts everybody who can connect: a browser on the same machine,
// or in the same network, can connect too, on behalf of any page it shows.
//
// Two cases. A page of another site posts to us: the browser says so in Origin, and such a request is refused on every
// route that changes something; nothing is readable without CORS, which we never grant. Or the page's own name was
// pointed at our address after it was loaded (DNS rebinding): then the browser believes that we are the page's site, and
// only the name in Host gives it away. So a listener that was reached over the loopback interface, and any browser's
// POST, must have been called by a name that a stranger cannot own.
type hostPolicy struct {
	allowed []string // lower case
}

func newHostPolicy(allowed []string) hostPolicy {
	p := hostPolicy{}
	for _, h := range allowed {
		p.allowed = append(p.allowed, strings.ToLower(h))
	}
	if name, err := os.Hostname(); err == nil {
		p.allowed = append(p.allowed, strings.ToLower(name))
	}
	return p
}

func (p hostPolicy) check(r *http.Request, changes bool) error {
	origin := r.Header.Get("Origin")
	if changes {
		if origin != "" && (!sameHost(origin, r.Host) || !p.known(r.Host)) {
			return fail(http.StatusForbidden, "refused: a page of %.200s may not send this request (Origin is not this server)", origin)
		}
		// Agents name us as they like, through proxies that keep the name: without Origin it is not a browser's write.
		return nil
	}
	if overLoopback(r) && !p.known(r.Host) {
		return fail(http.StatusForbidden, "refused: %.200q is not a name of this machine, and a web page could have made it point here; "+
			"call it by 127.0.0.1, localhost or a name without dots (a proxy on this machine sends one of them as Host)", hostname(r.Host))
	}
	return nil
}

// known reports whether no stranger can own the name: addresses, names without a dot (resolved locally), reserved
// domains, and what was configured.
func (p hostPolicy) known(hostport string) bool {
	host := strings.ToLower(strings.TrimSuffix(hostname(hostport), "."))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return true
	}
	for _, reserved := range []string{".localhost", ".local", ".internal", ".localdomain", ".home.arpa"} {
		if strings.HasSuffix(host, reserved) {
			return true
		}
	}
	return slices.Contains(p.allowed, host)
}

// overLoopback reports whether the request came in over the loopback interface.
func overLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	ap, err := netip.ParseAddrPort(addr.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// sameHost compares an Origin with the Host header, ports included: another port on this machine is another site.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // "null", or nonsense
	}
	return strings.EqualFold(u.Host, host)
}

// hostname strips the port and the brackets of an address.
func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}
