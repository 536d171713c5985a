package hostproc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"gestor.local/contract"
	"gestor.local/manager/internal/source/hostproc"
)

// FuzzHostileProcess gives a process any name and any arguments: what comes out must be a valid document that reads
// back as it was written, and no longer than was asked for.
func FuzzHostileProcess(f *testing.F) {
	f.Add([]byte("a) R 1 2 3 (b"), []byte("sh\x00-c\x00echo \"$(id)\"; </script><script>alert(1)</script>\x00"))
	f.Add([]byte("\"\\\n\t\x01\x7f\xff\xc3"), []byte("\xff\xfe\x00--password\x00\xf0\x9f\x98"))
	f.Add([]byte("{{.}}__f__"), bytes.Repeat([]byte("128 KiB of it \x00"), 128<<10/15))
	f.Add([]byte(")"), []byte{})
	f.Add([]byte(""), []byte("\x00\x00\x00"))

	f.Fuzz(func(t *testing.T, name, args []byte) {
		const most = 200
		if len(name) > 15 || bytes.IndexByte(name, 0) >= 0 {
			t.Skip("the kernel keeps 15 bytes, up to the first NUL")
		}
		o, pid := hostile(t, name, args)
		o.CmdlineMax = most
		r, err := hostproc.New(o)
		if err != nil {
			t.Fatal(err)
		}

		snap, _, err := r.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := json.Marshal(snap)
		if err != nil {
			t.Fatal(err)
		}

		again, bad, err := contract.ParseSnapshot(doc)
		if err != nil || bad != nil || !reflect.DeepEqual(snap, again) {
			t.Fatalf("error %v, rows %v, from\n%s", err, bad, doc)
		}
		p := snap.Containers[0].Processes[0]
		if p.PID != pid || p.PPID != 1 || p.Threads != 3 || len(p.Cmdline) > most || !utf8.ValidString(p.Cmdline) {
			t.Errorf("process %+v", p)
		}

		if want := strings.Map(func(r rune) rune { return r }, string(name)); p.Name != want {
			t.Errorf("name %q of %q, want %q", p.Name, name, want)
		}
	})
}

// hostile is a captured host with one container of one process.
func hostile(t *testing.T, name, args []byte) (hostproc.Options, int) {
	t.Helper()
	const pid = 4242
	id, dir := strings.Repeat("e", 64), t.TempDir()
	put := func(path, content string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for _, file := range []string{"meminfo", "stat", "sys/kernel/osrelease", "sys/kernel/random/boot_id", "1/cgroup"} {
		b, err := os.ReadFile(filepath.Join("testdata", "cgroup2", "proc", file))
		if err != nil {
			t.Fatal(err)
		}
		put("proc/"+file, string(b))
	}

	put("cgroup/cgroup.controllers", "cpu\n")
	put("cgroup/docker/"+id+"/cpu.stat", "usage_usec 7\nuser_usec 3\nsystem_usec 4\n")
	put("proc/4242/cgroup", "0::/docker/"+id+"\n")
	put("proc/4242/status", "Name:\tx\nNSpid:\t4242\t1\n")
	put("proc/4242/cmdline", string(args))
	put("proc/4242/stat", "4242 ("+string(name)+") S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 3 0 100 4096000 50 "+strings.Repeat("0 ", 28)+"\n")
	return hostproc.Options{
		Proc: filepath.Join(dir, "proc"), Cgroup: filepath.Join(dir, "cgroup"),
		Clock: func() (uint64, uint64) { return 20_000_000, 1 },
	}, pid
}
