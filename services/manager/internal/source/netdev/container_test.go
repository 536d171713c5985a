package netdev_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gestor.local/manager/internal/containertest"
	"gestor.local/manager/internal/source/netdev"
)

// TestMain is the program in that container: for each line it is given it sends bytes, and answers when they are sent.
func TestMain(m *testing.M) {
	if !containertest.Inside() {
		os.Exit(m.Run())
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(send(lines.Text()))
	}
}

const sent = 100 * 1000

// send sends datagrams of 1000 bytes to an address that need not answer.
func send(address string) string {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()

	for range sent / 1000 {
		if _, err := conn.Write(make([]byte, 1000)); err != nil && !strings.Contains(err.Error(), "refused") {
			return err.Error()
		}
	}
	return "sent"
}

// TestContainers counts what real containers send: over their interface, over the loopback, which does not count, and over the
// interface of another container whose network they share.
func TestContainers(t *testing.T) {
	image := containertest.Image(t)
	nowUS := uint64(1)
	r := netdev.New("/proc", func() uint64 { return nowUS })
	t.Cleanup(r.Close)
	bridged := start(t, image, "bridge")
	alone := start(t, image, "none")
	sharing := start(t, image, "container:"+bridged.id)
	wanted := map[string]netdev.Process{"bridged": bridged.process, "alone": alone.process, "sharing": sharing.process}

	read := func() map[string]netdev.Count {
		nowUS += 10_000_000
		counts := r.Read(wanted)
		if len(counts) != len(wanted) {
			t.Fatalf("only %v could be read", counts)
		}
		if counts["alone"].Bytes != 0 || counts["bridged"].Bytes != counts["sharing"].Bytes {
			t.Errorf("%v: want none alone, and the same of both that share", counts)
		}
		return counts
	}

	// The gateway's neighbours talk too: the host itself may send some bytes to each bridge at any time.
	const others = sent / 2
	before := read()["bridged"].Bytes
	bridged.send("127.0.0.1:9")
	alone.send("127.0.0.1:9")
	after := read()["bridged"].Bytes
	if after-before > others {
		t.Errorf("%d bytes were counted of %d over the loopback", after-before, sent)
	}

	for name, c := range map[string]*running{"itself": bridged, "the one that shares its network": sharing} {
		before = read()["bridged"].Bytes
		c.send(bridged.gateway + ":9")
		after = read()["bridged"].Bytes
		if grown := after - before; grown < sent || grown > 2*sent+others {
			t.Errorf("%d bytes were counted of %d that %s sent", grown, sent, name)
		}
	}
}

type running struct {
	t           *testing.T
	id, gateway string
	process     netdev.Process
	in          io.Writer
	out         *bufio.Scanner
}

func start(t *testing.T, image, network string) *running {
	t.Helper()
	cid := filepath.Join(t.TempDir(), "cid")
	cmd := exec.Command("docker", "run", "--rm", "--interactive", "--cidfile", cid, "--label", "gestor.test=source",
		"--network", network, "--env", containertest.InsideKey+"=1", image)

	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	c := &running{t: t, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = in.Close() // the program ends
		if id, err := os.ReadFile(cid); err == nil {
			_ = exec.Command("docker", "rm", "--force", string(id)).Run()
		}
		_ = cmd.Wait()
	})

	c.send("127.0.0.1:9") // it runs when it answers
	id, err := os.ReadFile(cid)
	if err != nil {
		t.Fatal(err)
	}
	c.id = string(id)
	c.inspect()
	return c
}

// send has the program in the container send, and waits until it has.
func (c *running) send(address string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, address); err != nil {
		c.t.Fatal(err)
	}
	if !c.out.Scan() || c.out.Text() != "sent" {
		c.t.Fatalf("it says %q, %v", c.out.Text(), c.out.Err())
	}
}

func (c *running) inspect() {
	c.t.Helper()
	const format = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
	out, err := exec.Command("docker", "inspect", "--format", format, c.id).Output()
	if err != nil {
		c.t.Fatal(err)
	}

	pid, gateway, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	c.gateway = gateway
	if c.process.PID, err = strconv.Atoi(pid); err != nil {
		c.t.Fatal(err)
	}
	c.process.StartUS = startOf(c.t, c.process.PID)
}
