package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// longUptime is how much longer than it does the host runs for the managers that LongUptime has started.
const longUptime = time.Hour

// LongUptime lets the managers of this test run as if the host had been started an hour earlier: what is unknown for some minutes
// after its start is known then. That takes root and a kernel with time namespaces; else it skips the test on a host that runs for less
// than atLeast.
func (h *Suite) LongUptime(atLeast time.Duration) {
	h.Helper()
	up, err := uptime()
	if err != nil {
		h.Fatal(err)
	}

	// It ends with its input: an interrupt ends the test without its clean-up.
	space := exec.Command("unshare", "--time", "--boottime", strconv.Itoa(int(longUptime.Seconds())), "sh", "-c", "echo ready && exec cat")
	_, inputErr := space.StdinPipe()
	out, outputErr := space.StdoutPipe()
	if inputErr != nil || outputErr != nil {
		h.Fatal(inputErr, outputErr)
	}
	if err = space.Start(); err == nil {
		h.Cleanup(func() {
			_ = space.Process.Kill()
			_ = space.Wait() // its error is the signal
		})

		// What it prints is the sign that the namespace is there.
		if _, err = out.Read(make([]byte, 16)); err == nil {
			h.enter = []string{"nsenter", "--time=/proc/" + strconv.Itoa(space.Process.Pid) + "/ns/time_for_children"}
			return
		}
	}
	if up < atLeast {
		h.Skipf("the host runs for %s, less than %s, and a time namespace cannot be made here: %v", up, atLeast, err)
	}
}

// uptime is how long the host runs.
func uptime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	var seconds float64
	_, err = fmt.Sscan(string(text), &seconds)
	return time.Duration(seconds) * time.Second, err
}

// manager is a command of the manager's program, where the test has it run.
func (h *Suite) manager(args ...string) *exec.Cmd {
	if h.Within != nil {
		return h.Within.Command(h.Programs.Manager, args...)
	}
	line := append(append(h.enter[:len(h.enter):len(h.enter)], h.Programs.Manager), args...)
	return exec.Command(line[0], line[1:]...)
}
