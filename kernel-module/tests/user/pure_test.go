// Package user tests the module's code that needs no kernel: the JSON escape, the cgroup path parser and
// the check of file names, compiled with
// the address and undefined-behaviour sanitizers.
package user

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// driver is the compiled C program, answering one question after the other.
type driver struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Reader
}

func startDriver(t *testing.T) *driver {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is not installed")
	}

	program := filepath.Join(t.TempDir(), "driver")
	build := exec.Command("gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program,
		"../csrc/driver.c", "../../pure/json.c", "../../pure/text.c", "../../pure/cgpath.c",
		"../../pure/procname.c")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, text)
	}

	cmd := exec.Command(program)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { // a sanitizer's report ends the program with a status
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("driver: %v\n%s", err, stderr.String())
		}
	})
	return &driver{t: t, in: bufio.NewWriter(stdin), out: bufio.NewReader(stdout)}
}

// call sends questions and returns their answers.
func (d *driver) call(kind byte, limit int, questions []string) []string {
	d.t.Helper()

	// Written beside the reading: both pipes are small, and the program answers before it has read all.
	var sender sync.WaitGroup
	defer sender.Wait() // the writer is used again
	sender.Go(func() {
		for _, q := range questions {
			_ = d.in.WriteByte(kind)
			_ = binary.Write(d.in, binary.LittleEndian, [2]uint32{uint32(limit), uint32(len(q))})
			_, _ = d.in.WriteString(q)
		}
		_ = d.in.Flush()
	})

	answers := make([]string, len(questions))
	for i := range answers {
		var size uint32
		if err := binary.Read(d.out, binary.LittleEndian, &size); err != nil {
			d.t.Fatalf("no answer to %q: %v", questions[i], err)
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(d.out, text); err != nil {
			d.t.Fatal(err)
		}
		answers[i] = string(text)
	}

	return answers
}

// wantEscape is the specification: valid UTF-8 unchanged, each other byte \ufffd, what JSON asks for escaped.
func wantEscape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\ufffd`)
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		s = s[size:]
	}
	return b.String()
}

func randomText(random *rand.Rand, most int) string {
	const likely = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3\xed\xa0\x80\"\\\n~a\x80\xbf\xf4\x8f\x90\xc0\xe0\xf5\x00 "
	b := make([]byte, random.IntN(most))
	mostly := random.IntN(2) == 0
	for i := range b {
		b[i] = byte(random.IntN(256))
		if mostly {
			b[i] = likely[random.IntN(len(likely))]
		}
	}
	return string(b)
}

func TestEscape(t *testing.T) {
	d := startDriver(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []int{6, 7, 11, 128, 4096} {
		questions := []string{"", "plain", "\x7f", "\x00"}
		for b := range 256 {
			questions = append(questions, string([]byte{byte(b)}), string([]byte{'a', byte(b), 'z'}))
		}
		for range 20_000 {
			questions = append(questions, randomText(random, 64))
		}
		for i, got := range d.call('e', limit, questions) {
			if want := wantEscape(questions[i]); got != want {
				t.Fatalf("cap %d: %q became %s, want %s", limit, questions[i], got, want)
			}
			var back string
			if err := json.Unmarshal([]byte(`"`+got+`"`), &back); err != nil || back != strings.ToValidUTF8(questions[i], "") && !strings.Contains(back, "�") {
				t.Fatalf("%s does not parse: %v", got, err)
			}
		}
	}
}

// TestNumber compares with the standard library, at every length and on both sides of each power of ten.
func TestNumber(t *testing.T) {
	d := startDriver(t)
	random := rand.New(rand.NewPCG(7, 8))
	numbers := []uint64{0, 1<<32 - 1, 1 << 32, 1<<64 - 1}
	for power := uint64(1); power <= 1e19 && power != 0; power *= 10 {
		numbers = append(numbers, power-1, power, power+1)
		if power == 1e19 {
			break
		}
	}
	for range 20_000 {
		numbers = append(numbers, random.Uint64()>>random.IntN(64))
	}
	questions := make([]string, len(numbers))
	for i, n := range numbers {
		questions[i] = string(binary.LittleEndian.AppendUint64(nil, n))
	}
	for i, got := range d.call('n', 20, questions) {
		if want := strconv.FormatUint(numbers[i], 10); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	if got := d.call('n', 3, []string{string(binary.LittleEndian.AppendUint64(nil, 1234))}); got[0] != "overflow" {
		t.Fatalf("four digits in room for three: %s", got[0])
	}
}

// TestWhole cuts texts at every place: what is left never ends in a part of a sequence that was whole before.
func TestWhole(t *testing.T) {
	d := startDriver(t)
	random := rand.New(rand.NewPCG(3, 4))
	var cuts []string
	var want []int
	for range 20_000 {
		text := randomText(random, 24) + "żółć🐳€"
		cut := random.IntN(len(text) + 1)
		cuts, want = append(cuts, text[:cut]), append(want, wholeLength(text[:cut]))
	}
	for i, got := range d.call('w', 0, cuts) {
		if got != strconv.Itoa(want[i]) {
			t.Fatalf("%q: %s, want %d", cuts[i], got, want[i])
		}
	}
}

// wholeLength drops a tail that is no sequence, but could begin one.
func wholeLength(s string) int {
	for back := 1; back <= 3 && back <= len(s); back++ {
		tail := s[len(s)-back:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRuneInString(tail) {
				return len(s) - back
			}
			return len(s)
		}
	}
	return len(s)
}
