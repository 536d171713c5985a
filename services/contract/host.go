package contract

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// HostRefused is what the answer 421 says.
const HostRefused = "this service is not asked under this name; if it should be, add the name to GESTOR_HOSTS (several with commas, * for any)"

// HostAllowed says whether the Host header of a request may name a service, whose setting GESTOR_HOSTS names more. A site that a
// browser shows can give its own name the address 127.0.0.1 after it was loaded (DNS rebinding), and is then the same origin as the
// service. A site's own name has a dot in it; an address is nobody's.
func HostAllowed(header string, more []string) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	_, err := netip.ParseAddr(name)
	return err == nil || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(more, func(m string) bool { m = strings.TrimSpace(m); return m == "*" || strings.EqualFold(m, name) })
}
