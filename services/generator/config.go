package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gestor.local/contract"
	"gestor.local/generator/internal/cadence"
	"gestor.local/generator/internal/profile"
	"gestor.local/program/cli"
	"gestor.local/program/settings"
)

// config is every setting, each from the environment and, where it has a flag, from the command line, which wins.
type config struct {
	Profile  string        `env:"GESTOR_PROFILE" envDefault:"seed" flag:"profile" help:"churn to make: a shipped profile's name, or the path of a YAML file"`
	Interval time.Duration `env:"GESTOR_INTERVAL" flag:"interval" help:"time between batches, in place of the profile's"`
	Batch    uint64        `env:"GESTOR_BATCH" flag:"batch" help:"containers in a batch, in place of the profile's"`
	Seed     string        `env:"GESTOR_SEED" flag:"seed" help:"number from which every choice follows; a random one is drawn and logged when empty"`
	Plan     string        `env:"GESTOR_PLAN" flag:"plan" help:"file with a plan to carry out, in place of profile and seed"`
	For      time.Duration `env:"GESTOR_FOR" flag:"for" help:"length of the run; 0 goes on until it is stopped"`
	Strict   bool          `env:"GESTOR_STRICT" flag:"strict" help:"exit with 7 when a start failed or was dropped"`

	MaxAlive    int           `env:"GESTOR_MAX_ALIVE" envDefault:"40" help:"containers of this run alive at the same time; a start beyond is dropped"`
	MaxTotal    uint64        `env:"GESTOR_MAX_TOTAL" envDefault:"100000" help:"starts of this run; it ends when they are made"`
	Parallel    int           `env:"GESTOR_PARALLEL" envDefault:"4" help:"starts under way at the same time"`
	MaxLate     time.Duration `env:"GESTOR_MAX_LATE" envDefault:"20s" help:"a start that cannot begin within this time of its plan is dropped"`
	Timeout     time.Duration `env:"GESTOR_START_TIMEOUT" envDefault:"30s" help:"time that one start may take"`
	MinFree     mebibytes     `env:"GESTOR_MIN_FREE_MIB" envDefault:"256" help:"available memory of the host under which starts are held back, in MiB or with a unit (1GiB)"`
	MaxFailures int           `env:"GESTOR_MAX_FAILURES" envDefault:"5" help:"failed starts in a row after which starts are held back"`
	Lease       time.Duration `env:"GESTOR_LEASE" envDefault:"1h" help:"time after which others may sweep a container whose owner they cannot see"`

	LogsURL   string             `env:"GESTOR_LOGS_URL" envDefault:"http://127.0.0.1:8080" help:"address of the log service"`
	TokenFile string             `env:"GESTOR_TOKEN_FILE" help:"file with the token for the log service, read before each request"`
	Manager   string             `env:"GESTOR_MANAGER_URL" help:"the manager's /readyz: starts are held back while no manager has ticked for a minute; not asked when empty"`
	State     string             `env:"GESTOR_STATE" envDefault:"/var/lib/gestor" help:"folder for plans, reports and records on their way"`
	Scripts   string             `env:"GESTOR_SCRIPTS" envDefault:"/usr/local/bin" help:"folder of launch-container.sh and managed-containers.sh"`
	Listen    string             `env:"GESTOR_OPS" envDefault:"127.0.0.1:8082" help:"address of /healthz, /readyz, /metrics and /report"`
	Hosts     contract.HostNames `env:"GESTOR_HOSTS" help:"further names that the port is asked under, with commas; addresses, localhost and single words need none, * is any"`
	Suite     string             `env:"GESTOR_SUITE" envDefault:"gestor" help:"label of the suite whose manager may judge the containers"`
	Host      string             `env:"GESTOR_HOST" help:"name of the host in the records; the engine's when empty"`
	LogLevel  string             `env:"GESTOR_LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
}

// mebibytes is a size whose unit is the MiB where none is written.
type mebibytes contract.Size

// UnmarshalText reads a size.
func (m *mebibytes) UnmarshalText(text []byte) error {
	if last := strings.TrimSpace(string(text)); last != "" && last[len(last)-1] >= '0' && last[len(last)-1] <= '9' {
		text = []byte(last + "MiB")
	}
	return (*contract.Size)(m).UnmarshalText(text)
}

// errConfig is wrapped by every error of a setting.
var errConfig = errors.New("configuration")

// loadConfig reads the environment, then the flags: those of the settings with the given names, and those that the command
// has declared in the set. It reports all that is wrong at once.
func loadConfig(flags *flag.FlagSet, arguments []string, names ...string) (config, error) {
	c, wrong := settings.Read[config]("", settings.Environment())
	var problems []error
	for _, w := range wrong {
		problems = append(problems, w)
	}

	// The flags come second: they win, and take what was read as their defaults.
	c.addFlags(flags, names)
	if err := flags.Parse(arguments); err != nil {
		return c, errors.Join(append(problems, configError(err))...)
	}

	if flags.NArg() > 0 {
		problems = append(problems, &cli.UsageError{Argument: flags.Arg(0)})
	}

	if err := errors.Join(append(problems, c.validate())...); err != nil {
		return c, fmt.Errorf("%w:\n%w", errConfig, err)
	}
	return c, nil
}

// configError marks an error as one of the configuration; a request for help is none.
func configError(err error) error {
	if errors.Is(err, flag.ErrHelp) || errors.Is(err, errConfig) {
		return err
	}
	return fmt.Errorf("%w: %w", errConfig, err)
}

// writeSettings lists every setting with its default.
func writeSettings(w io.Writer) error { return settings.WriteTable[config](w, "") }

// addFlags adds the flags of the settings that have one of the names.
func (c *config) addFlags(set *flag.FlagSet, names []string) {
	for field, value := range reflect.ValueOf(c).Elem().Fields() {
		name := field.Tag.Get("flag")
		if name == "" || !slices.Contains(names, name) {
			continue
		}

		// Only these types have settings with a flag.
		help := field.Tag.Get("help")
		switch p := value.Addr().Interface().(type) {
		case *string:
			set.StringVar(p, name, *p, help)
		case *time.Duration:
			set.DurationVar(p, name, *p, help)
		case *uint64:
			set.Uint64Var(p, name, *p, help)
		case *bool:
			set.BoolVar(p, name, *p, help)
		}
	}
}

var suitePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

func (c config) validate() error {
	var problems []error
	need := func(ok bool, setting, text string) {
		if !ok {
			problems = append(problems, fmt.Errorf("%s: %s", setting, text))
		}
	}

	_, seedErr := c.seed()
	need(seedErr == nil, "GESTOR_SEED", "must be a whole number from 0 to 18446744073709551615")
	need(c.Interval == 0 || c.Interval >= cadence.MinEvery, "GESTOR_INTERVAL", "must be at least 1s")
	need(c.Batch <= cadence.MaxCount, "GESTOR_BATCH", fmt.Sprintf("must be at most %d", cadence.MaxCount))
	need(c.For >= 0, "GESTOR_FOR", "must not be negative")
	need(c.Plan == "" || (c.Interval == 0 && c.Batch == 0 && c.Seed == "" && c.For == 0), "GESTOR_PLAN",
		"a plan has its own seed, batches and length: leave GESTOR_SEED, GESTOR_INTERVAL, GESTOR_BATCH and GESTOR_FOR empty")

	need(c.MaxAlive >= 1 && c.MaxAlive <= 1000, "GESTOR_MAX_ALIVE", "must be from 1 to 1000")
	need(c.MaxTotal >= 1, "GESTOR_MAX_TOTAL", "must be at least 1")
	need(c.Parallel >= 1 && c.Parallel <= 64, "GESTOR_PARALLEL", "must be from 1 to 64")
	need(c.MaxLate > 0, "GESTOR_MAX_LATE", "must be more than 0")
	need(c.Timeout >= time.Second, "GESTOR_START_TIMEOUT", "must be at least 1s")
	need(c.MaxFailures >= 1, "GESTOR_MAX_FAILURES", "must be at least 1")
	need(c.Lease >= time.Minute, "GESTOR_LEASE", "must be at least 1m")

	need(c.Manager == "" || contract.WebAddress(c.Manager), "GESTOR_MANAGER_URL", "must be an http address such as http://manager:8081/readyz")
	need(contract.WebAddress(c.LogsURL), "GESTOR_LOGS_URL", "must be an http address such as http://logs:8080")
	need(suitePattern.MatchString(c.Suite), "GESTOR_SUITE", "must be letters, digits, dots, dashes and underscores, at most 63")

	return errors.Join(problems...)
}

// seed is the seed that was set; nil when none was.
func (c config) seed() (*uint64, error) {
	if c.Seed == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(c.Seed, 10, 64)
	return &n, err
}

// effectiveProfile is the profile with the settings that stand in place of its own.
func (c config) effectiveProfile() (profile.Profile, error) {
	p, err := profile.Load(c.Profile)
	if err != nil {
		return p, err
	}

	if (c.Interval != 0 || c.Batch != 0) && p.Arrivals.Kind != cadence.Batches {
		return p, fmt.Errorf("GESTOR_INTERVAL and GESTOR_BATCH fit batches only, and profile %q has %s", p.Name, p.Arrivals.Kind)
	}

	if c.Interval != 0 {
		p.Arrivals.Every = cadence.Span(c.Interval)
	}
	if c.Batch != 0 {
		p.Arrivals.Count = c.Batch
	}
	return p, nil
}

// token is the token for the log service, "" when none is set.
func (c config) token() (string, error) { return settings.Token("GESTOR_TOKEN_FILE", c.TokenFile) }

// localURL is where this machine reaches the running generator.
func (c config) localURL() (string, error) {
	url, err := settings.LocalURL(c.Listen)
	if err != nil {
		return "", fmt.Errorf("%w: GESTOR_OPS: %w", errConfig, err)
	}
	return url, nil
}
