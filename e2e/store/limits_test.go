package store

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// residentMB is the most memory the service had resident.
func (s *service) residentMB() int {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				s.t.Fatal(err)
			}
			return kb >> 10
		}
	}
	s.t.Fatal("no VmHWM in /proc")
	return 0
}

// Thousands of connections that say nothing neither fill the memory nor keep others out for long.
func TestIdleConnections(t *testing.T) {
	s := start(t, build(t), t.TempDir())
	defer s.stop()
	addr := strings.TrimPrefix(s.url, "http://")
	var idle []net.Conn
	for range 10_000 {
		c, err := net.DialTimeout("tcp", addr, 2*time.Second)
		if err != nil {
			break // the backlog is full: the service does not take more
		}
		defer c.Close()
		idle = append(idle, c)
	}
	open := len(idle)
	if open < 1100 {
		t.Skipf("only %d connections could be opened here (ulimit -n)", open)
	}
	for _, c := range idle[open-16:] { // the producer needs one, and this process may have no more
		c.Close()
	}
	if code, result := s.post(batch(1, 10)); code != 200 || result.Accepted != 10 {
		t.Errorf("a producer among %d idle connections: %d %+v", open, code, result)
	}
	if mb := s.residentMB(); mb > 96 {
		t.Errorf("%d MiB resident with %d idle connections", mb, open)
	}
}

// A client that sends its headers or its body too slowly is cut off; meanwhile others are served.
func TestSlowClients(t *testing.T) {
	s := start(t, build(t), t.TempDir())
	defer s.stop()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("POST /v1/records HTTP/1.1\r\nHost: x\r\nX-Slow: ")); err != nil {
		t.Fatal(err)
	}
	if code, _ := s.post(batch(1, 1)); code != 200 {
		t.Errorf("others: %d", code)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil && n > 0 {
		return // it was told
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("a request whose headers never end is still open after a minute")
	}
}

// Many large bodies at once wait for each other instead of filling the memory.
func TestManyLargeBodies(t *testing.T) {
	s := start(t, build(t), t.TempDir(), "GOGC=100")
	defer s.stop()
	body := batch(1, 40_000)
	done := make(chan int)
	for range 16 {
		go func() {
			code, _ := s.post(body)
			for code == http.StatusTooManyRequests { // told to come back, as any producer may be
				time.Sleep(time.Second)
				code, _ = s.post(body)
			}
			done <- code
		}()
	}
	for range 16 {
		if code := <-done; code != 200 {
			t.Errorf("answered %d", code)
		}
	}
	t.Logf("%d MiB resident at most", s.residentMB())
	if mb := s.residentMB(); mb > 400 {
		t.Errorf("%d MiB resident", mb)
	}
	if !bytes.Contains([]byte(body), []byte("pseq")) || len(s.stored()) != 40_000 {
		t.Error("not everything was stored once")
	}
}
