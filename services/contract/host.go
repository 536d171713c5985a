package contract

import (
	"fmt"
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
func HostAllowed(header string, more HostNames) bool {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}

	// The brackets of an IPv6 address that came without a port, and the root's dot, are no part of the name.
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	_, err := netip.ParseAddr(name)
	return err == nil || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") ||
		slices.Contains(more, "*") || slices.Contains(more, name)
}

// HostNames is the setting GESTOR_HOSTS: names as a browser sends them, without port, in lower case; "*" is any.
type HostNames []string

// UnmarshalText reads names with commas between them. What no request can name is refused: it would never be admitted.
func (n *HostNames) UnmarshalText(text []byte) error {
	var names HostNames
	for one := range strings.SplitSeq(string(text), ",") {
		name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(one), "."))
		if name == "" {
			continue
		}

		_, notAddress := netip.ParseAddr(name)
		if name != "*" && notAddress != nil && strings.ContainsFunc(name, notInHostName) {
			return fmt.Errorf("%q is no name of a host: want one as in gestor.example, without scheme, port or path and in ASCII (xn--…), several with commas, or * alone for any", one)
		}
		names = append(names, name)
	}
	*n = names
	return nil
}

// notInHostName says whether a character does not occur in the names of hosts; the underscore is that of service names.
func notInHostName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
}
