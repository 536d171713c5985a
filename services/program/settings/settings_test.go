package settings

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gestor.local/contract"
)

type example struct {
	Addr  string        `env:"ADDR" envDefault:":1" help:"where it listens"`
	Every time.Duration `env:"EVERY_TIME" help:"how often"`
	Count uint64        `env:"COUNT" envDefault:"3"`
	Size  contract.Size `env:"SIZE" envDefault:"1MiB"`
}

func TestDefaultsStandWhereNothingIsSet(t *testing.T) {
	got, wrong := Read[example]("G_", map[string]string{"G_ADDR": "", "G_EVERY_TIME": "5s", "COUNT": "9"})
	if want := (example{Addr: ":1", Every: 5 * time.Second, Count: 3, Size: 1 << 20}); got != want || wrong != nil {
		t.Errorf("%+v, %v", got, wrong)
	}
}

func TestEverythingThatIsWrongIsNamedAndTheRestRead(t *testing.T) {
	got, wrong := Read[example]("G_", map[string]string{"G_COUNT": "many", "G_EVERY_TIME": "soon", "G_SIZE": "big", "G_ADDR": ":7"})

	var variables []string
	for _, w := range wrong {
		variables = append(variables, w.Variable)
		if !strings.HasPrefix(w.Error(), w.Variable+": ") {
			t.Error(w)
		}
	}
	if want := []string{"G_EVERY_TIME", "G_COUNT", "G_SIZE"}; !reflect.DeepEqual(variables, want) || got.Addr != ":7" {
		t.Errorf("%v, %+v", variables, got)
	}
}

func TestAStructThatCannotBeReadIsAnErrorOfTheEnvironment(t *testing.T) {
	_, wrong := Read[struct {
		C chan int `env:"C"`
	}]("", map[string]string{"C": "1"})
	if len(wrong) != 1 || wrong[0].Variable != "environment" {
		t.Errorf("%v", wrong)
	}
}

func TestAWrongValueSaysWhatIsWanted(t *testing.T) {
	said := errors.New("said")
	for wanted, setting := range map[string]reflect.Type{
		"said: want true or false": reflect.TypeFor[bool](), "said: want a whole number": reflect.TypeFor[uint64](),
		"said: want a time with its unit, as in 90s, 5m or 12h (a week is 168h)": reflect.TypeFor[time.Duration](),
		"said": reflect.TypeFor[contract.Size](),
	} {
		if got := withWanted(setting, said); got.Error() != wanted || !errors.Is(got, said) {
			t.Errorf("%s: %v", setting, got)
		}
	}
}

func TestTheTableIsLinesForPeople(t *testing.T) {
	type config struct {
		Addr string `env:"ADDR" envDefault:":1" help:"where it listens"`
		Host string `env:"HOST_NAME" help:"who it is"`
	}
	var out strings.Builder
	want := "  G_ADDR       where it listens (:1)\n  G_HOST_NAME  who it is\n"
	if err := WriteTable[config](&out, "G_"); err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestATokenIsTheTextOfItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if token, err := Token("G_TOKEN_FILE", ""); token != "" || err != nil {
		t.Errorf("none is named: %q, %v", token, err)
	}
	if _, err := Token("G_TOKEN_FILE", path); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "read G_TOKEN_FILE: ") {
		t.Errorf("none is there: %v", err)
	}
	if err := os.WriteFile(path, []byte(" s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := Token("G_TOKEN_FILE", path); token != "s3cret" || err != nil {
		t.Errorf("%q, %v", token, err)
	}
}

func TestLocalURL(t *testing.T) {
	for addr, want := range map[string]string{
		":8081": "http://127.0.0.1:8081", "0.0.0.0:8081": "http://127.0.0.1:8081", "[::]:1": "http://127.0.0.1:1",
		"127.0.0.1:9": "http://127.0.0.1:9", "manager:9": "http://manager:9", "[::1]:9": "http://[::1]:9",
		"[::0]:9": "http://127.0.0.1:9", "[::ffff:0.0.0.0]:9": "http://127.0.0.1:9",
	} {
		if got, err := LocalURL(addr); got != want || err != nil {
			t.Errorf("LocalURL(%q) = %q, %v, want %q", addr, got, err, want)
		}
	}
	if got, err := LocalURL("nonsense"); err == nil {
		t.Errorf("nonsense: %q", got)
	}
}
