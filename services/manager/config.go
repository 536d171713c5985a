package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gestor.local/contract"
	"gestor.local/contract/policy2"
	"gestor.local/manager/internal/explain"
	"gestor.local/manager/internal/govern"
	"gestor.local/manager/internal/notify"
	"gestor.local/manager/internal/policyfile"
	"gestor.local/manager/internal/source"
	"gestor.local/manager/internal/source/hostproc"
	"gestor.local/program/logging"
	"gestor.local/program/settings"
)

// config is every setting, from the environment. Each name gets the prefix GESTOR_; help is what `gestor-manager settings` prints.
type config struct {
	Source     source.Choice      `env:"SOURCE" envDefault:"auto" help:"auto, module or procfs"`
	Proc       string             `env:"PROC" envDefault:"/proc" help:"the host's /proc as seen from here"`
	Cgroup     string             `env:"CGROUP" envDefault:"/sys/fs/cgroup" help:"the host's /sys/fs/cgroup as seen from here"`
	ProcName   string             `env:"PROC_NAME" envDefault:"sysinfo_gestor" help:"the module's file below PROC"`
	CmdlineMax contract.Size      `env:"CMDLINE_MAX" envDefault:"256" help:"size of each command line, secrets taken out; 0 = none"`
	Engine     string             `env:"ENGINE" help:"the engine's address; empty = DOCKER_HOST or its usual socket"`
	EngineWait time.Duration      `env:"ENGINE_WAIT" envDefault:"30s" help:"how long the start waits for an engine that does not answer"`
	LogsURL    string             `env:"LOGS_URL" envDefault:"http://127.0.0.1:8080" help:"the log service"`
	Elsewhere  bool               `env:"LOGS_ELSEWHERE" help:"true: the log service of LOGS_URL runs on another host, and the manager need not find its container on this engine"`
	LogsLink   string             `env:"LOGS_LINK" help:"address of the log service for people on this host, which explain points to; empty, or with LOGS_ELSEWHERE: LOGS_URL"`
	LogsWait   time.Duration      `env:"LOGS_WAIT" envDefault:"20s" help:"how long the start waits for a log service that does not answer; the health check of compose.yaml waits for less than a minute"`
	TokenFile  string             `env:"TOKEN_FILE" help:"file with the token for the log service, read before each request"`
	NotifyURL  string             `env:"NOTIFY_URL" help:"webhook that is told what a policy of version 2 is going to do, and has done; empty = nobody outside of the suite. A secret: better in a file"`
	NotifyFile string             `env:"NOTIFY_URL_FILE" help:"file with that address instead, read before each call"`
	CAFile     string             `env:"CA_FILE" help:"PEM file of authorities that are trusted beside the system's when the webhook is called"`
	State      string             `env:"STATE" envDefault:"/var/lib/gestor" help:"journal and spool"`
	Policy     string             `env:"POLICY" help:"policy.yaml; empty = the default policy"`
	Tick       time.Duration      `env:"TICK" help:"overrides the policy's tick"`
	DryRun     bool               `env:"DRY_RUN" help:"nothing is removed: mode enforce becomes observe, under a policy of version 1 shadow"`
	Suite      string             `env:"SUITE" help:"owns only containers with this gestor.suite label; mode enforce asks for one where the policy owns what Gestor started: without it every managed container is judged"`
	Host       string             `env:"HOST" help:"name of the machine in the records; empty = the engine's"`
	Record     string             `env:"RECORD" envDefault:"all" help:"containers that are recorded: all or owned"`
	Ops        string             `env:"OPS" envDefault:"127.0.0.1:8081" help:"address of the ops port"`
	Hosts      contract.HostNames `env:"HOSTS" help:"further names that the port is asked under, with commas; addresses, localhost and single words need none, * is any"`
	Drain      time.Duration      `env:"DRAIN" envDefault:"20s" help:"time for actions under way to end at the stop; a container that takes longer to stop is left to the engine, and the next start removes it"`
	Flush      time.Duration      `env:"FLUSH" envDefault:"15s" help:"time for the last records and the charts at the stop"`
	MinFree    contract.Size      `env:"MIN_FREE" envDefault:"64MiB" help:"space that the journal's facts leave free on the disk of GESTOR_STATE: below it the oldest go, then none are written, and what is done is"`
	SpoolBytes contract.Size      `env:"SPOOL_BYTES" envDefault:"64MiB" help:"largest spool of records"`
	Console    string             `env:"CONSOLE" envDefault:"auto" help:"what each tick prints: table, json, or auto (a table on a terminal)"`
	LogLevel   string             `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
}

const envPrefix = "GESTOR_"

// Values of GESTOR_CONSOLE.
const (
	consoleAuto  = "auto"
	consoleTable = "table"
	consoleJSON  = "json"
)

// forPeople reports whether w gets tables and plain lines instead of JSON.
func (c config) forPeople(w io.Writer) bool {
	return c.Console == consoleTable || c.Console == consoleAuto && logging.IsTerminal(w)
}

// loadConfig reads the environment; the error lists every wrong setting.
func loadConfig() (config, error) {
	c, wrong := settings.Read[config](envPrefix, settings.Environment())
	var problems contract.Problems
	for _, w := range wrong {
		problems.Add(w.Variable, w.Err.Error())
	}

	// Its default is the log service of this host: another one has to be named.
	if c.Elsewhere && os.Getenv("GESTOR_LOGS_URL") == "" {
		problems.Add("GESTOR_LOGS_ELSEWHERE", "it is true, and GESTOR_LOGS_URL does not say where: set that to the address of the log service")
	}
	c.check(&problems)
	return c, problems.Err()
}

// writeSettings lists every setting with its default.
func writeSettings(w io.Writer) error { return settings.WriteTable[config](w, envPrefix) }

// suite identifies the manager itself and its suite.
func (c config) suite() govern.Suite {
	s := govern.Suite{ManagerID: hostproc.OwnContainer(), Name: c.Suite}
	if c.Elsewhere {
		s.LogsElsewhere = c.shownLogsURL()
	}
	return s
}

// shownLogsURL is the address of the log service as it may be shown.
func (c config) shownLogsURL() string { return redacted(c.LogsURL) }

// redacted is an address without its password.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

func (c config) check(p *contract.Problems) {
	if !contract.WebAddress(c.LogsURL) {
		p.Add("GESTOR_LOGS_URL", fmt.Sprintf("%q is not an address (want http://logs:8080)", c.LogsURL))
	}
	if c.LogsLink != "" && !contract.WebAddress(c.LogsLink) {
		p.Add("GESTOR_LOGS_LINK", fmt.Sprintf("%q is not an address (want http://127.0.0.1:8080)", c.LogsLink))
	}

	if c.Record != "all" && c.Record != "owned" {
		p.Add("GESTOR_RECORD", fmt.Sprintf("%q: want all or owned", c.Record))
	}
	if _, err := zerolog.ParseLevel(c.LogLevel); err != nil || c.LogLevel == "" {
		p.Add("GESTOR_LOG_LEVEL", fmt.Sprintf("%q: want debug, info, warn or error", c.LogLevel))
	}
	if c.Console != consoleAuto && c.Console != consoleTable && c.Console != consoleJSON {
		p.Add("GESTOR_CONSOLE", fmt.Sprintf("%q: want auto, table or json", c.Console))
	}

	for name, value := range map[string]string{"GESTOR_PROC": c.Proc, "GESTOR_CGROUP": c.Cgroup, "GESTOR_STATE": c.State} {
		if !strings.HasPrefix(value, "/") {
			p.Add(name, fmt.Sprintf("%q: want an absolute path", value))
		}
	}

	for name, value := range map[string]time.Duration{"GESTOR_DRAIN": c.Drain, "GESTOR_FLUSH": c.Flush, "GESTOR_LOGS_WAIT": c.LogsWait, "GESTOR_ENGINE_WAIT": c.EngineWait, "GESTOR_TICK": c.Tick} {
		if value < 0 {
			p.Add(name, "a time cannot be negative")
		}
	}
}

// document reads the policy that is to be in force, of either version, with what the environment overrides: the file, without a setting
// the default, and where there is no such file, which is missing then, a policy that touches nobody.
func (c config) document() (d policyfile.Document, missing bool, err error) {
	d.V2 = new(policy2.Shipped())
	if c.Policy != "" {
		d, err = policyfile.Load(c.Policy)
	}
	if missing = errors.Is(err, fs.ErrNotExist); missing {
		d, err = policyfile.Document{V2: new(policy2.None())}, nil
	}

	switch {
	case err != nil:
		return d, false, err
	case d.V2 != nil:
		return d, missing, c.override2(d.V2)
	default:
		return d, false, c.override1(d.V1)
	}
}

// override2 changes a policy of version 2 as the environment says.
func (c config) override2(p *policy2.Policy) error {
	if c.DryRun {
		p.Mode = contract.ModeObserve
	}
	return c.overrideTick(p)
}

// overrideTick changes the tick alone of a policy of version 2.
func (c config) overrideTick(p *policy2.Policy) error {
	if c.Tick == 0 {
		return nil
	}

	if p.Tick = policy2.Duration(c.Tick / time.Second); c.Tick%time.Second != 0 {
		return fmt.Errorf("policy with GESTOR_TICK=%s: a tick of a policy of version 2 is whole seconds", c.Tick)
	}
	return c.overridden(p.Validate())
}

// override1 changes a policy of version 1 as the environment says.
func (c config) override1(p *contract.Policy) error {
	if c.Tick > 0 {
		p.Tick = contract.Duration(c.Tick)
	}
	if c.DryRun && p.Mode == contract.ModeEnforce {
		p.Mode = contract.ModeShadow
	}
	return c.overridden(p.Validate())
}

// overridden is what is wrong with a policy that the environment has changed: a file is valid by itself; together with the
// environment's it may not be.
func (c config) overridden(problems contract.Problems) error {
	if err := problems.Err(); err != nil {
		return fmt.Errorf("policy with GESTOR_TICK=%s:\n%w", c.Tick, err)
	}
	return nil
}

// checkSuite says whether the policy may be carried out: one that removes what Gestor started asks whose that is.
func (c config) checkSuite(d policyfile.Document) error {
	var enforced bool
	switch {
	case d.V1 != nil:
		enforced = d.V1.Mode == contract.ModeEnforce
	case d.V2 != nil:
		enforced = d.V2.Mode == contract.ModeEnforce && d.V2.OwnsManaged()
	}
	if enforced && c.Suite == "" {
		return errNoSuite
	}
	return nil
}

// errNoSuite prevents a manager that was started by hand from removing what other suites on this engine started.
var errNoSuite = errors.New("GESTOR_SUITE is empty, and in mode enforce every managed container of this host would be this manager's to " +
	"remove; set it to the gestor.suite label of those that are (docker compose sets its project's name, launch-container.sh " +
	"without --suite gestor), or look only, with GESTOR_DRY_RUN=true")

// token is the write token of the log service, "" when none is set.
func (c config) token() (string, error) {
	token, err := settings.Token("GESTOR_TOKEN_FILE", c.TokenFile)
	if err != nil && c.Elsewhere {
		err = fmt.Errorf("%w; put a copy of the token there that the log service's host has in data/.token, readable by the manager's user", err)
	}
	return token, err
}

// opsURL is where this machine reaches the ops port of the running manager.
func (c config) opsURL() string {
	if url, err := settings.LocalURL(c.Ops); err == nil {
		return url
	}
	return "http://" + c.Ops // the request fails with what is wrong with it
}

// notifies says that somebody outside of the suite is to be told.
func (c config) notifies() bool { return c.NotifyURL != "" || c.NotifyFile != "" }

// webhook is where notices go. The address and the authorities are read anew for each call; what cannot be used at all is an error,
// which holds nothing of the address.
func (c config) webhook() (notify.Config, error) {
	address, err := notify.URLFrom(c.NotifyURL, c.NotifyFile)
	if err != nil {
		return notify.Config{}, err
	}
	webhook := notify.Config{URL: address, CAFile: c.CAFile}
	return webhook, webhook.Check()
}

// reachWebhook says what keeps notices from their receiver, "" where nothing does.
func (c config) reachWebhook(ctx context.Context) string {
	webhook, err := c.webhook()
	if err != nil {
		return err.Error()
	}
	return webhook.Reach(ctx)
}

// explainJournal is what explanations are read from.
func explainJournal(c config) explain.Journal {
	link := cmp.Or(c.LogsLink, c.LogsURL)
	if c.Elsewhere { // what compose sets is of its own log service
		link = c.LogsURL
	}
	return explain.Journal{Path: journalDir(c), Logs: redacted(link)}
}

func journalDir(c config) string { return filepath.Join(c.State, "journal") }

func spoolDir(c config) string { return filepath.Join(c.State, "spool") }
