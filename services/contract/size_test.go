package contract

import (
	"strings"
	"testing"
)

func TestSizesHaveUnits(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1048576": 1 << 20, "1MiB": 1 << 20, "1mib": 1 << 20, " 64 MiB ": 64 << 20, "3KiB": 3 << 10, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"5kB": 5000, "5KB": 5000, "5MB": 5e6, "5GB": 5e9, "5TB": 5e12, "7B": 7, "9223372036854775807": 1<<63 - 1,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestWhatIsNoSizeSaysWhatIs(t *testing.T) {
	for _, text := range []string{"", "lots", "MiB", "-1", "+1", "1.5MiB", "1 M", "1MiBs", "1 2", "0x10", "9223372036854775808", "9007199254740992KiB"} {
		got := Size(7)
		err := got.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), "64MiB") || got != 7 {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"1MiB", "9007199254740992KiB", "18446744073709551615", "1 gb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil && s < 0 {
			t.Errorf("%q: %d", text, s)
		}
	})
}
