// Command guest is the first process of the virtual machine whose power is cut under the log service: it mounts the
// disk, starts the service, tells what is stored, and sends records until the end.
//
// It reports on the second serial port, a line each:
//
//	mounted                the disk can be read: the file system has repaired itself
//	serving                so has the service
//	stored P FROM TO       records FROM to TO of producer P are there, each once and whole
//	ready                  all of them are told, and verify found nothing (not without syncs)
//	ack P FROM TO          the service has answered that they are kept
//	fail TEXT              anything else
//
// Words of the kernel's command line: gestor.fsync=MODE and gestor.next=N,N,… (the first record of each producer).
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	service = "/gestor-logs"
	address = "127.0.0.1:8080"
	data    = "/disk/data"
)

func main() {
	port := &port{}
	if err := run(port); err != nil {
		port.send("fail %v", err)
	}
	select {} // the first process must not end: the host pulls the plug
}

func run(report *port) error {
	options, err := prepare(report)
	if err != nil {
		return err
	}
	report.send("mounted")

	// Small segments, so that cuts come in the middle of rotation and sealing too.
	environ := append(os.Environ(), "GESTOR_DATA="+data, "GESTOR_ADDR="+address, "GESTOR_FSYNC="+options["fsync"],
		"GESTOR_SEGMENT_BYTES=300000", "GESTOR_MIN_FREE=1000000", "GESTOR_LOG_LEVEL=warn")
	logs := exec.Command(service)
	logs.Env, logs.Stdout, logs.Stderr = environ, os.Stdout, os.Stderr
	if err := logs.Start(); err != nil {
		return err
	}
	if err := serving(logs); err != nil {
		return err
	}
	report.send("serving")

	if err := reportStored(report); err != nil {
		return err
	}

	// Without syncs it would find what is lost, as it may be then.
	if options["fsync"] == "always" {
		verify := exec.Command(service, "verify", "-all")
		verify.Env = environ
		if text, err := verify.CombinedOutput(); err != nil {
			return fmt.Errorf("verify: %w: %s", err, strings.ReplaceAll(string(text), "\n", "; "))
		}
	}

	report.send("ready")
	var work sync.WaitGroup
	for i, text := range strings.Split(options["next"], ",") {
		next, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return err
		}

		work.Go(func() {
			if err := produce(report, i, next); err != nil {
				report.send("fail %v", err)
			}
		})
	}
	work.Wait()
	return nil
}

// prepare mounts everything and returns the gestor.NAME=VALUE words of the kernel's command line.
func prepare(report *port) (map[string]string, error) {
	for _, m := range []struct{ from, to, kind string }{{"proc", "/proc", "proc"}, {"dev", "/dev", "devtmpfs"}} {
		if err := unix.Mount(m.from, m.to, m.kind, 0, ""); err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.to, err)
		}
	}
	if err := report.open("/dev/ttyS1"); err != nil {
		return nil, err
	}

	if err := loadDriver(); err != nil {
		return nil, fmt.Errorf("driver of the disk: %w", err)
	}
	if err := unix.Mount("/dev/vda", "/disk", "ext4", 0, ""); err != nil {
		return nil, fmt.Errorf("mount the disk: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}

	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}

	options := map[string]string{}
	for word := range strings.FieldsSeq(string(text)) {
		if rest, ok := strings.CutPrefix(word, "gestor."); ok {
			name, value, _ := strings.Cut(rest, "=")
			options[name] = value
		}
	}
	return options, nil
}

// loadDriver loads the module of the disk's driver, which Debian compresses and its kernel unpacks itself.
func loadDriver() error {
	module, err := os.Open("/driver.ko.xz")
	if err != nil {
		return err
	}
	defer module.Close()
	return unix.FinitModule(int(module.Fd()), "", unix.MODULE_INIT_COMPRESSED_FILE)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)

	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// serving waits until the service answers. It ends the wait when the service ends.
func serving(logs *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- logs.Wait() }()

	for {
		res, err := http.Get("http://" + address + "/healthz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}

		select {
		case err := <-ended:
			return fmt.Errorf("the service ended: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// record is what is read of a stored one.
type record struct {
	Seq, PSeq uint64
	identity
}

// identity is the sender within which a record's own number is given once.
type identity struct{ Host, Boot, Producer string }

// reportStored reads every record and reports the ranges of each producer's numbers.
func reportStored(report *port) error {
	res, err := http.Get("http://" + address + "/v1/records?order=asc&format=ndjson")
	if err != nil {
		return err
	}
	defer res.Body.Close()

	stored := map[identity]map[uint64]bool{}
	last := uint64(0)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("half a record: %w: %s", err, lines.Text())
		}

		if r.Seq <= last {
			return fmt.Errorf("number %d after %d", r.Seq, last)
		}
		last = r.Seq

		if stored[r.identity] == nil {
			stored[r.identity] = map[uint64]bool{}
		}
		if stored[r.identity][r.PSeq] {
			return fmt.Errorf("record %d of %v is there twice", r.PSeq, r.identity)
		}
		stored[r.identity][r.PSeq] = true
	}
	if err := lines.Err(); err != nil {
		return err
	}

	for sender, numbers := range stored {
		number, ok := strings.CutPrefix(sender.Producer, "power-")
		for from := range numbers {
			if !ok || numbers[from-1] {
				continue // of the service itself, or not the first of its range
			}

			to := from
			for numbers[to+1] {
				to++
			}
			report.send("stored %s %d %d", number, from, to)
		}
	}
	return nil
}

// produce stores batch after batch and reports what was answered.
func produce(report *port, producer int, next uint64) error {
	size := []uint64{1, 20, 100}[producer%3]
	for {
		var body strings.Builder
		ts := time.Now().UTC().Format(time.RFC3339) // retention deletes what is old
		for n := next; n < next+size; n++ {
			kind := []string{"container", "container", "container", "system"}[n%4]
			fmt.Fprintf(&body, `{"v":1,"ts":%q,"kind":%q,"host":"h","boot":"b","producer":"power-%d","pseq":%d,"container":"c%d","event":"e"}`+"\n",
				ts, kind, producer, n, n%50)
		}

		res, err := http.Post("http://"+address+"/v1/records", "application/x-ndjson", strings.NewReader(body.String()))
		if err != nil {
			return err
		}

		var answer struct{ Accepted, Duplicates uint64 }
		err = json.NewDecoder(res.Body).Decode(&answer)
		res.Body.Close()
		if err != nil || answer.Accepted+answer.Duplicates != size {
			return errors.Join(err, fmt.Errorf("answered %s, %+v", res.Status, answer))
		}

		// Only now: what the host has read by the cut must be there after it.
		report.send("ack %d %d %d", producer, next, next+size-1)
		next += size
	}
}

// port is the serial port that the host reads.
type port struct {
	mu   sync.Mutex // guards file
	file *os.File
}

func (p *port) open(name string) (err error) {
	p.file, err = os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY, 0)
	return err
}

func (p *port) send(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()

	text := fmt.Sprintf(format, args...)
	if p.file == nil {
		fmt.Println(text) // on the console
		return
	}
	fmt.Fprintln(p.file, text)
}
