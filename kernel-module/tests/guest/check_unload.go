package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

func checkUnloadOpen(m *machine) error {
	if err := m.populate(2, 2); err != nil {
		return err
	}
	if err := load(""); err != nil {
		return err
	}

	f, err := os.Open(procFile)
	if err != nil {
		return err
	}
	defer f.Close()
	part := make([]byte, 100)
	if _, err := f.Read(part); err != nil {
		return err
	}
	first, err := snapshot()
	if err != nil {
		return err
	}
	if err := unload(); err != nil {
		return fmt.Errorf("with an open file: %w", err)
	}
	if _, err := f.Read(part); !errors.Is(err, unix.EIO) {
		return fmt.Errorf("a read after the unload: %w, want EIO", err)
	}
	if err := load(""); err != nil {
		return err
	}

	again, err := snapshot()
	if err != nil {
		return err
	}
	if again.Instance == first.Instance || again.Sequence != 1 {
		return fmt.Errorf("instance %s, then %s with sequence %d", first.Instance, again.Instance, again.Sequence)
	}
	return nil
}

// reloads unloads many times while readers open, read in parts, and close.
func (t *tester) reloads(m *machine) error {
	rounds, err := strconv.Atoi(t.options["rounds"])
	if err != nil {
		return err
	}
	if err := m.populate(3, 3); err != nil {
		return err
	}
	readers := startReaders(3)
	for round := range rounds {
		if err = load("max_age_ms=0"); err != nil {
			break
		}
		if _, err = snapshot(); err != nil {
			break
		}
		if err = eventually(unload); err != nil {
			err = fmt.Errorf("round %d: %w", round, err)
			break
		}
	}
	return errors.Join(err, readers.stop())
}

// readers read in the background until they are stopped; every whole document must parse.
type readers struct {
	done  chan struct{}
	group sync.WaitGroup
	whole atomic.Int64
	err   atomic.Value
}

func startReaders(count int) *readers {
	r := &readers{done: make(chan struct{})}
	for range count {
		r.group.Go(r.loop)
	}
	return r
}

func (r *readers) loop() {
	for {
		select {
		case <-r.done:
			return
		default:
		}
		text, err := readAll(procFile, 1500)
		switch {
		case err == nil:
			if _, err := parse(text); err != nil {
				r.err.CompareAndSwap(nil, err)
			}
			r.whole.Add(1)
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EIO):
			// The module is away: what readers are told to expect.
		default:
			r.err.CompareAndSwap(nil, err)
		}
	}
}

func (r *readers) stop() error {
	close(r.done)
	r.group.Wait()
	if err, ok := r.err.Load().(error); ok {
		return err
	}
	if r.whole.Load() == 0 {
		return errors.New("no reader ever got a whole document")
	}
	return nil
}
