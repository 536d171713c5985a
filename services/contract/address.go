package contract

import "net/url"

// WebAddress says whether the text is the address of a service, to which paths can be added.
func WebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}
