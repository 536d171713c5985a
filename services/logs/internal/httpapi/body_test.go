package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gestor.local/contract"

	"gestor.local/logs/internal/listener/listenertest"
	"gestor.local/logs/internal/store"
	"gestor.local/wal/disk/disktest"
)

// intake runs the service in memory, with the suite's token "inner", until the test ends.
func intake(t *testing.T) *listenertest.Pipes {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("inner"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Dir: "data", FS: disktest.NewMem(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	pipes := listenertest.New()
	server := &http.Server{Handler: serve(Deps{Store: s, Auth: TokenAuth{Suite: token}})}

	done := make(chan error, 1)
	go func() { done <- server.Serve(pipes) }()

	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil { // every connection has ended then
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		s.Close()
	})
	return pipes
}

// post begins a request that announces more bytes than it sends, and returns where its answer comes.
func post(t *testing.T, pipes *listenertest.Pipes, from string, announced int, sent, token string) <-chan string {
	t.Helper()
	c := pipes.Dial(from)
	t.Cleanup(func() { c.Close() })
	status := make(chan string, 1)
	go func() { status <- statusOf(c) }()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n",
		contract.PathRecords, contract.MediaNDJSON, announced, token)
	_, _ = io.WriteString(c, sent) // the answer may come before the end
	synctest.Wait()
	return status
}

func statusOf(c net.Conn) string {
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	io.Copy(io.Discard, res.Body)
	return strings.Fields(res.Status)[0]
}

func note(pseq int, producer string) string {
	return fmt.Sprintf(`{"v":1,"ts":"2026-11-23T12:00:00Z","kind":"system","host":"h","boot":"b","producer":%q,"pseq":%d,"event":"e"}`, producer, pseq)
}

// Who announces much and sends little takes little room and keeps nobody out; when he does not go on he is ended.
func TestWhatIsAnnouncedTakesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := intake(t)
		var slow []<-chan string
		for range 100 {
			slow = append(slow, post(t, pipes, "10.0.0.1:1", contract.MaxBodyBytes, "{", ""))
		}

		began := time.Now()
		if got := <-post(t, pipes, "10.0.0.1:1", len(note(1, "me")), note(1, "me"), ""); got != "200" {
			t.Errorf("a writer beside them: %s", got)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("it waited %s", waited)
		}

		for _, answer := range slow {
			if got := <-answer; got != "408" {
				t.Fatalf("a body that does not go on: %s", got)
			}
		}
		if took := time.Since(began); took > minBytesTime {
			t.Errorf("they were ended after %s", took)
		}
	})
}

// A body that keeps coming, however small its pieces, has its time, and no more.
func TestABodyHasToKeepComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := intake(t)
		for name, c := range map[string]struct {
			piece int
			pause time.Duration
			want  string
		}{
			"steady":       {16 << 10, time.Second, "200"},
			"too slowly":   {1 << 10, time.Second, "408"},
			"for too long": {32 << 10, 4900 * time.Millisecond, "408"},
		} {
			const size = 256 << 10
			conn := pipes.Dial("10.0.0.1:1")
			status := make(chan string, 1)
			go func() { status <- statusOf(conn) }()

			body := note(len(name), "me") + strings.Repeat("\n", size)
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", contract.PathRecords, size)

			for sent := 0; sent < size; sent += c.piece {
				if _, err := io.WriteString(conn, body[sent:sent+c.piece]); err != nil {
					break
				}
				time.Sleep(c.pause)
				if len(status) > 0 {
					break
				}
			}

			if got := <-status; got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
			conn.Close()
		}
	})
}

// One client has its share of the room; when several have taken all of it, the suite's own services have theirs still, and
// others are told to come back.
func TestBodiesOfOthersKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := intake(t)
		const whole = contract.MaxBodyBytes
		part := strings.Repeat(" ", whole/2)
		fill := func(client string) {
			post(t, pipes, client, whole, part+part[:len(part)-1], "")
			post(t, pipes, client, whole, part[:len(part)-1], "")
		}

		fill("10.0.0.1:1")
		if got := <-post(t, pipes, "10.0.0.1:2", whole, part, ""); got != "429" {
			t.Errorf("beyond its share: %s", got)
		}
		fill("10.0.0.1:1") // what was ended meanwhile, again
		fill("10.0.0.2:1")
		stranger := post(t, pipes, "10.0.0.3:1", len(note(1, "me")), note(1, "me"), "")
		if got := <-post(t, pipes, "10.0.0.1:3", len(note(1, "manager")), note(1, "manager"), "inner"); got != "200" {
			t.Errorf("the manager: %s", got)
		}
		if got := <-stranger; got != "200" && got != "429" {
			t.Errorf("a third client: %s", got)
		}
	})
}

func TestRoomIsSharedAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBodyBudget(10, 6)
		if ok, _ := r.tryAcquire("a", 6); !ok {
			t.Error("a has no share")
		}
		if ok, _ := r.tryAcquire("a", 1); ok {
			t.Error("a has more than its share")
		}
		if ok, _ := r.tryAcquire("b", 5); ok {
			t.Error("there is more than there is")
		}

		got := make(chan error)
		go func() { got <- r.acquire(t.Context(), "b", 5) }()
		synctest.Wait()
		r.release("a", 6)
		if err := <-got; err != nil {
			t.Error(err)
		}
		r.release("b", 5)
		if r.free != 10 || len(r.used) > 0 {
			t.Errorf("%d free, held %v", r.free, r.used)
		}
	})
}
