package contract

import (
	"slices"
	"testing"
)

func TestNamesThatAServiceIsAskedUnder(t *testing.T) {
	var more HostNames
	if err := more.UnmarshalText([]byte(" Gestor.Example ")); err != nil {
		t.Fatal(err)
	}
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
	if !HostAllowed("evil.example", HostNames{"*"}) {
		t.Error("* is any name")
	}
}

func TestNamesThatNoRequestCanNameAreRefused(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " , ": nil, "*": {"*"}, "gestor.example,": {"gestor.example"}, "A.Example., b_c.example": {"a.example", "b_c.example"},
		"10.1.2.3,::1": {"10.1.2.3", "::1"}, "xn--bcher-kva.example": {"xn--bcher-kva.example"},
	} {
		var got HostNames
		if err := got.UnmarshalText([]byte(text)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"gestor.example:8080", "http://gestor.example", "gestor.example/", "*.example", "a.example b.example", "bücher.example",
		"a.example;b.example", "[::1]:8080",
	} {
		var got HostNames
		if err := got.UnmarshalText([]byte("ok.example," + text)); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}
