package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelLog reads what the kernel logs from now on.
type kernelLog struct{ fd int }

func openKernelLog() (*kernelLog, error) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open kernel log: %w", err)
	}
	if _, err := unix.Seek(fd, 0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("open kernel log: %w", err)
	}
	return &kernelLog{fd: fd}, nil
}

func (l *kernelLog) close() { _ = unix.Close(l.fd) }

// messages returns the module's own messages since the last call. What the kernel's loader says of a parameter is not one.
func (l *kernelLog) messages() (lines []string, err error) {
	record := make([]byte, 8192) // a read gives one record
	for {
		n, err := unix.Read(l.fd, record)
		if errors.Is(err, unix.EAGAIN) {
			return lines, nil
		}
		if err != nil {
			return lines, fmt.Errorf("read kernel log: %w", err)
		}
		_, message, _ := strings.Cut(string(record[:n]), ";")
		line, _, _ := strings.Cut(message, "\n")
		text, ours := strings.CutPrefix(line, moduleName+": ")
		if ours && !strings.Contains(text, "invalid for parameter") {
			lines = append(lines, text)
		}
	}
}

// expectMessage complains unless there was one message, with these words in it.
func (l *kernelLog) expectMessage(words string) error {
	lines, err := l.messages()
	if err != nil {
		return err
	}
	if len(lines) != 1 || !strings.Contains(lines[0], words) {
		return fmt.Errorf("the module said %q, want one line with %q", lines, words)
	}
	return nil
}
