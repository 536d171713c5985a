package contract

import "testing"

func TestPathsCanBeAddedToAnAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"http://logs:8080": true, "https://logs.example/gestor/": true, "http://[::1]:8080": true,
		"": false, "logs": false, "logs:8080": false, "ftp://logs": false, "http://": false,
		"http://logs/?a=b": false, "http://logs/?": false, "http://logs#x": false,
	} {
		if got := WebAddress(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
