package store

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gestor.local/contract"
)

// built makes the service's binary, once for all tests; TestMain removes it.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gestor-e2e-store-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "gestor-logs")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = "../../services/logs"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

func build(t *testing.T) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// service is a running log service.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	http *http.Client
}

// start runs the service on a free port and waits until it serves.
func start(t *testing.T, bin, data string, env ...string) *service {
	t.Helper()
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "GESTOR_DATA="+data, "GESTOR_ADDR=127.0.0.1:0")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, cmd: cmd, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var entry struct{ Message, Addr string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Message == "serving" {
			s.url = "http://" + entry.Addr
			break
		}
	}
	if s.url == "" {
		t.Fatalf("the service ended before it served: %v", cmd.Wait())
	}
	go io.Copy(io.Discard, out) // or a full pipe stops it
	return s
}

// kill ends the service without any chance to tidy up.
func (s *service) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait() // its error is the signal
	s.http.CloseIdleConnections()
}

// stop ends it in order.
func (s *service) stop() {
	s.t.Helper()
	s.http.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// now is the time as a record has it. Records of a fixed day would be too old to keep, some day.
func now() string { return time.Now().UTC().Format(time.RFC3339) }

// batch is n records from a number on; every fourth is an event.
func batch(from uint64, n int) string {
	var b strings.Builder
	ts := now()
	for i := range uint64(n) {
		kind := contract.KindContainer
		if (from+i)%4 == 0 {
			kind = contract.KindSystem
		}
		fmt.Fprintf(&b, `{"v":1,"ts":%q,"kind":%q,"host":"h","boot":"b","producer":"p","pseq":%d,"container":"c%d","event":"e"}`+"\n",
			ts, kind, from+i, (from+i)%50)
	}
	return b.String()
}

// post sends NDJSON; it returns the status, 0 when there was no answer.
func (s *service) post(body string) (int, contract.IngestResult) {
	var result contract.IngestResult
	res, err := s.http.Post(s.url+contract.PathRecords, contract.MediaNDJSON, strings.NewReader(body))
	if err != nil {
		return 0, result
	}
	defer res.Body.Close()
	if json.NewDecoder(res.Body).Decode(&result) != nil {
		return 0, result
	}
	return res.StatusCode, result
}

// stored reads every record and checks that each is whole, that numbers rise and that none is there twice. It returns
// the number of each of the producer's records.
func (s *service) stored() map[uint64]uint64 {
	s.t.Helper()
	res, err := s.http.Get(s.url + contract.PathRecords + "?order=asc&format=ndjson")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[uint64]uint64{}
	last := uint64(0)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		var r contract.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			s.t.Fatalf("half a record: %v: %s", err, lines.Text())
		}
		if r.Seq <= last {
			s.t.Fatalf("number %d after %d", r.Seq, last)
		}
		last = r.Seq
		if r.Producer != "p" {
			continue
		}
		if other := out[r.PSeq]; other != 0 {
			s.t.Fatalf("record %d is there twice: %d and %d", r.PSeq, other, r.Seq)
		}
		out[r.PSeq] = r.Seq
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	return out
}
