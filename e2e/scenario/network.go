package scenario

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is a network namespace that has a loopback device alone, so that every port is free in it.
type Network struct{ holder *exec.Cmd }

// NewNetwork makes one for the time of the test. It skips the test where that cannot be done.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	for _, name := range []string{"unshare", "nsenter", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("a network of its own needs %s", name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("a network of its own needs root")
	}

	// It ends with its input: an interrupt ends the test without its clean-up. A signal at the parent's death would come at the
	// death of the thread that started it, and inNetwork ends threads.
	space := exec.Command("unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat")
	if _, err := space.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := space.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := space.Start(); err != nil {
		t.Skipf("a network of its own cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		_ = space.Process.Kill()
		_ = space.Wait() // its error is the signal
	})

	// What it prints is the sign that the device is up.
	if n, err := out.Read(make([]byte, 16)); n == 0 {
		t.Skipf("a network of its own cannot be made here: %v", err)
	}
	return &Network{space}
}

// Command runs a program in the network.
func (n *Network) Command(name string, arguments ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + netOf(n.holder.Process.Pid), name}, arguments...)...)
}

// Forward takes connections to an address within the network to one outside of it, until the test ends.
func (n *Network) Forward(t testing.TB, within, outside string) {
	t.Helper()
	l, err := inNetwork(n.holder.Process.Pid, func() (net.Listener, error) { return net.Listen("tcp", within) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })

	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return // closed
			}
			go relay(from, outside)
		}
	}()
}

// relay joins a connection with a new one until either side ends.
func relay(from net.Conn, outside string) {
	defer from.Close()
	to, err := net.Dial("tcp", outside)
	if err != nil {
		return // the client sees a connection that ends
	}
	defer to.Close()

	ended := make(chan struct{}, 2)
	pass := func(w, r net.Conn) {
		_, _ = io.Copy(w, r) // a side that has gone away is an end
		ended <- struct{}{}
	}
	go pass(to, from)
	go pass(from, to)
	<-ended
}

func netOf(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/ns/net" }

// inNetwork runs f in the network namespace of a process. The thread that went there does not come back: it ends with the
// goroutine that keeps it.
func inNetwork[T any](pid int, f func() (T, error)) (made T, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()

		var space *os.File
		if space, err = os.Open(netOf(pid)); err == nil {
			defer space.Close()
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			err = fmt.Errorf("enter the network: %w", err)
			return
		}

		made, err = f()
	}()
	<-done
	return made, err
}
