package hostproc

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"
	"syscall"

	"gestor.local/manager/internal/source/pseudofile"
)

// fileLimit is far above any file that is read here (memory.stat of a host with many NUMA nodes has some 10 kB).
const fileLimit = 256 << 10

// files reads the small files that procfs has no parser for.
type files struct{ *pseudofile.Reader }

func newFiles() files { return files{pseudofile.New(4096, fileLimit)} }

// number reads a file that holds one number. ok is false where there is none: the file does not exist on this kernel, or
// says "max".
func (f files) number(path string) (n uint64, ok bool) {
	b, err := f.Read(path)
	if err != nil {
		return 0, false
	}
	return parseNumber(bytes.TrimSpace(b))
}

func parseNumber(b []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(b), 10, 64)
	return n, err == nil
}

// keyed calls visit for each line "key value" of a flat keyed file.
func keyed(b []byte, visit func(key string, value uint64)) {
	for line := range bytes.Lines(b) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if n, ok := parseNumber(value); ok {
			visit(string(key), n)
		}
	}
}

// vanished reports whether the error only says that a process or cgroup ended meanwhile.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV)
}
