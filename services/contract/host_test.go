package contract

import "testing"

func TestNamesThatAServiceIsAskedUnder(t *testing.T) {
	more := []string{" Gestor.Example "}
	for header, want := range map[string]bool{
		"127.0.0.1:8081": true, "[::1]:8081": true, "::1": true, "10.1.2.3": true, "localhost": true, "manager:8081": true, "Logs": true,
		"a.localhost:80": true, "": true, "gestor.example": true, "GESTOR.example.:8081": true,
		"evil.example": false, "evil.example:8081": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false,
		"x.gestor.example": false,
	} {
		if got := HostAllowed(header, more); got != want {
			t.Errorf("%q: %t", header, got)
		}
	}
	if !HostAllowed("evil.example", []string{"*"}) {
		t.Error("* is any name")
	}
}
