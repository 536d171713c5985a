package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// system is one log store under measurement.
type system struct {
	name   string
	bin    string
	args   func(data string) []string
	env    func(data string) []string
	ready  string
	ingest string
	// queries are the URLs of the three questions; %s is the container.
	queries map[string]func(q question) string
	// settle waits until everything is in its final form on the disk.
	settle func(p *process) error

	ingested []ingestRow
	queried  map[string]time.Duration
	answers  map[string]int
	diskMB   float64
	rssMB    float64
}

// question is what the queries ask about.
type question struct {
	from, to  time.Time
	container string
}

const address = "127.0.0.1:19428"

func gestor(bin string) *system {
	u := "http://" + address
	format := func(t time.Time) string { return t.Format(time.RFC3339) }
	return &system{
		name: "Gestor", bin: bin, ready: u + "/healthz", ingest: u + "/v1/records",

		args: func(string) []string { return nil },
		env: func(data string) []string {
			return []string{"GESTOR_DATA=" + data, "GESTOR_ADDR=" + address, "GESTOR_LOG_LEVEL=error", "GESTOR_OBSERVATIONS_BYTES=100000000000", "GESTOR_SEGMENT_AGE=1m"}
		},

		queries: map[string]func(question) string{
			queryRecent: func(q question) string {
				return u + "/v1/records?limit=1000&since=" + format(q.to.Add(-15*time.Minute)) + "&until=" + format(q.to)
			},
			queryContainer: func(q question) string { return u + "/v1/records?limit=1000&container=" + q.container },
			queryChart: func(q question) string {
				return u + "/v1/stats?metric=cpu_millicores&fn=avg,max&by=class&step=10m&since=" + format(q.from) + "&until=" + format(q.to)
			},
		},

		settle: gestorSettled,
	}
}

// gestorSettled waits until every file is sealed, which an age of a minute brings about.
func gestorSettled(p *process) error {
	for range 600 {
		plain, err := filepath.Glob(p.data + "/records/*/*.ndjson")
		if err != nil || len(plain) == 0 {
			return err
		}
		time.Sleep(500 * time.Millisecond)
	}
	return fmt.Errorf("files are still not sealed")
}

func victoriaLogs(bin string) *system {
	u := "http://" + address
	ask := func(query string) string {
		return u + "/select/logsql/query?query=" + strings.NewReplacer(" ", "%20", "|", "%7C", "\"", "%22", ":", "%3A", ",", "%2C", "*", "%2A", "[", "%5B", ")", "%29", "(", "%28").Replace(query)
	}
	span := func(from, to time.Time) string {
		return "_time:[" + from.Format(time.RFC3339) + ", " + to.Format(time.RFC3339) + ")"
	}

	return &system{
		name: "VictoriaLogs", bin: bin, ready: u + "/health",
		ingest: u + "/insert/jsonline?_stream_fields=host,image&_time_field=ts&_msg_field=kind",

		args: func(data string) []string {
			return []string{"-storageDataPath=" + data, "-httpListenAddr=" + address, "-loggerLevel=ERROR", "-retentionPeriod=10y"}
		},
		env: func(string) []string { return nil },

		queries: map[string]func(question) string{
			queryRecent: func(q question) string {
				return ask(span(q.to.Add(-15*time.Minute), q.to)+" *") + "&limit=1000"
			},
			queryContainer: func(q question) string {
				return ask(span(q.from, q.to)+" container:\""+q.container+"\"") + "&limit=1000"
			},
			queryChart: func(q question) string {
				return ask(span(q.from, q.to) + " _msg:container | stats by (_time:10m, class) avg(cpu_millicores) a, max(cpu_millicores) m")
			},
		},

		settle: func(*process) error { time.Sleep(15 * time.Second); return nil },
	}
}

// process is a running system.
type process struct {
	*system
	data string
	cmd  *exec.Cmd
}

func (s *system) start(data string) (*process, error) {
	cmd := exec.Command(s.bin, s.args(data)...)
	cmd.Env = append(os.Environ(), s.env(data)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	p := &process{s, data, cmd}
	for range 200 {
		if res, err := http.Get(s.ready); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}

	p.stop()
	return nil, fmt.Errorf("did not become ready")
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait() // how it ends is not measured
}

// cpu is the processor time used so far.
func (p *process) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}

	// Counted behind the program's name, which may hold spaces. USER_HZ is 100 on every Linux that matters.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peakMB is the most memory that was resident.
func (p *process) peakMB() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}

	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

// diskMB is what a folder takes.
func diskMB(dir string) float64 {
	total := int64(0)
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})

	return float64(total) / (1 << 20)
}

// buildVictoria makes the binary from the newest module that its proxy has. The library it shares with its sibling is
// taken from a release, since the commit it names is not to be had as a module.
func buildVictoria(work string) (string, error) {
	dir := filepath.Join(work, "victoria")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}

	mod := "module build\n\ngo 1.26\n\nrequire " + victoriaModule + "\n\nreplace " + victoriaLibrary + "\n"
	if err := os.WriteFile(dir+"/go.mod", []byte(mod), 0o644); err != nil {
		return "", err
	}

	cmd := exec.Command("go", "build", "-mod=mod", "-o", dir+"/victoria-logs", "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %.2000s", err, out)
	}
	return dir + "/victoria-logs", nil
}

const (
	victoriaModule  = "github.com/VictoriaMetrics/VictoriaLogs v1.51.1-0.20260624061259-dc94972a8708"
	victoriaLibrary = "github.com/VictoriaMetrics/VictoriaMetrics => github.com/VictoriaMetrics/VictoriaMetrics v1.148.8"
)
