package hostproc

import "testing"

func TestTruncateNeverCutsInsideACharacter(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "a", 2: "a", 3: "aé", 4: "aé", 5: "aé", 6: "aé€", 9: "aé€"} {
		if got := truncate("aé€", n); got != want {
			t.Errorf("clip to %d = %q, want %q", n, got, want)
		}
	}
}

func TestValidUTF8ReplacesEachByte(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "é": "é", "\xff\xfe": "\ufffd\ufffd", "a\xf0\x9f\x98": "a\ufffd\ufffd\ufffd", "\ufffd": "\ufffd",
	} {
		if got := validUTF8(in); got != want {
			t.Errorf("validUTF8(%q) = %q, want %q", in, got, want)
		}
	}
}
