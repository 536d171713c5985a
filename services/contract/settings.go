package contract

import (
	"fmt"
	"io"
	"net/url"
	"reflect"
	"text/tabwriter"
	"time"
)

// WriteSettings writes what a program reads from the environment, a setting a line: its name, what it does, and its default in
// parentheses. config is the struct of the settings with the tags env, help and envDefault; the prefix comes before each name.
func WriteSettings(w io.Writer, prefix string, config any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for field := range reflect.TypeOf(config).Fields() {
		value := field.Tag.Get("envDefault")
		if value != "" {
			value = " (" + value + ")"
		}
		fmt.Fprintf(t, "  %s%s\t%s%s\n", prefix, field.Tag.Get("env"), field.Tag.Get("help"), value)
	}
	return t.Flush()
}

// SettingError adds to what a parser says of the value of a setting what is wanted instead. Types that read themselves say it
// already.
func SettingError(setting reflect.Type, err error) error {
	var wanted string
	switch {
	case setting == reflect.TypeFor[time.Duration]():
		wanted = "a time with its unit, as in 90s, 5m or 12h (a week is 168h)"
	case setting == reflect.TypeFor[bool]():
		wanted = "true or false"
	case setting == reflect.TypeFor[int](), setting == reflect.TypeFor[uint64]():
		wanted = "a whole number"
	default:
		return err
	}

	return fmt.Errorf("%w: want %s", err, wanted)
}

// WebAddress says whether the text is the address of a service, to which paths can be added.
func WebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}
