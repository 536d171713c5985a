package contract

import (
	"strings"
	"testing"
)

func TestSettingsAreLinesForPeople(t *testing.T) {
	var config struct {
		Addr string `env:"ADDR" envDefault:":1" help:"where it listens"`
		Host string `env:"HOST_NAME" help:"who it is"`
	}
	var out strings.Builder
	want := "  G_ADDR       where it listens (:1)\n  G_HOST_NAME  who it is\n"
	if err := WriteSettings(&out, "G_", config); err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}
