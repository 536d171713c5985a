package hostproc

import (
	"bufio"
	"encoding/binary"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

// moduleTests is where the kernel module's tests are.
const moduleTests = "../../../../../kernel-module/tests"

// module is the module's code that needs no kernel, compiled, answering one question after the other
// (kernel-module/tests/csrc/driver.c).
type module struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func startModule(t *testing.T) *module {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is not installed")
	}
	program := filepath.Join(t.TempDir(), "driver")
	arguments := []string{"-std=gnu11", "-O1", "-o", program, filepath.Join(moduleTests, "csrc/driver.c")}
	for _, name := range []string{"json", "text", "cgpath", "procname"} {
		arguments = append(arguments, filepath.Join(moduleTests, "../pure", name+".c"))
	}

	if text, err := exec.Command("gcc", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, text)
	}

	cmd := exec.Command(program)
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

	t.Cleanup(func() {
		_ = in.Close() // ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("driver: %v", err)
		}
	})
	return &module{t: t, in: in, out: bufio.NewReader(out)}
}

func (m *module) query(kind byte, question string) string {
	m.t.Helper()
	head := binary.LittleEndian.AppendUint32([]byte{kind, 0, 0, 0, 0}, uint32(len(question)))
	if _, err := m.in.Write(append(head, question...)); err != nil {
		m.t.Fatal(err)
	}
	var size uint32
	if err := binary.Read(m.out, binary.LittleEndian, &size); err != nil {
		m.t.Fatalf("no answer to %q: %v", question, err)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(m.out, text); err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}
