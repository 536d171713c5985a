package contract

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
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

func TestAWrongSettingSaysWhatIsWanted(t *testing.T) {
	said := errors.New("said")
	for wanted, setting := range map[string]reflect.Type{
		"said: want true or false": reflect.TypeFor[bool](), "said: want a whole number": reflect.TypeFor[uint64](),
		"said: want a time with its unit, as in 90s, 5m or 12h (a week is 168h)": reflect.TypeFor[time.Duration](),
		"said": reflect.TypeFor[Size](),
	} {
		if got := SettingError(setting, said); got.Error() != wanted || !errors.Is(got, said) {
			t.Errorf("%s: %v", setting, got)
		}
	}
}

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
