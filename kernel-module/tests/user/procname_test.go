package user

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestFileName(t *testing.T) {
	cases := []struct{ name, want string }{
		{"sysinfo_gestor", ""},
		{"sysinfo_202003745", ""},
		{"sysinfo_a.b-C_9", ""},
		{"sysinfo_" + strings.Repeat("x", 56), ""},
		{"sysinfo_" + strings.Repeat("x", 57), "have at most 64 characters"},
		{"", "begin with sysinfo_"},
		{"sysinfo", "begin with sysinfo_"},
		{"meminfo", "begin with sysinfo_"},
		{"..", "begin with sysinfo_"},
		{"xsysinfo_a", "begin with sysinfo_"},
		{"sysinfo_", "have something after sysinfo_"},
		{"sysinfo_a/b", "be of letters, digits and _ - . alone"},
		{"sysinfo_\n", "be of letters, digits and _ - . alone"},
		{"sysinfo_\u00e9", "be of letters, digits and _ - . alone"},
	}
	questions := make([]string, len(cases))
	for i, c := range cases {
		questions[i] = c.name
	}
	for i, got := range startDriver(t).call('f', 0, questions) {
		if got != cases[i].want {
			t.Errorf("%q: %q, want %q", cases[i].name, got, cases[i].want)
		}
	}
}

// TestFileNameRandom puts names together from parts that are nearly right.
func TestFileNameRandom(t *testing.T) {
	good := regexp.MustCompile(`^sysinfo_[A-Za-z0-9_.-]{1,56}$`)
	parts := []string{"sysinfo_", "sysinfo", "_", "a", "Z9", "-", ".", "/", "\xff", " ", strings.Repeat("b", 25)}
	random := rand.New(rand.NewPCG(9, 10))
	questions := make([]string, 20_000)
	for i := range questions {
		if random.IntN(2) == 0 {
			questions[i] = parts[0]
		}
		for range random.IntN(6) {
			questions[i] += parts[random.IntN(len(parts))]
		}
	}
	for i, got := range startDriver(t).call('f', 0, questions) {
		if (got == "") != good.MatchString(questions[i]) {
			t.Fatalf("%q: %q", questions[i], got)
		}
	}
}
