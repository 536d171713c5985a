package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const kmemleak = "/sys/kernel/debug/kmemleak"

// storm runs everything at once for gestor.seconds: what a kernel that watches itself must not complain about.
func (t *tester) storm() {
	seconds, err := strconv.Atoi(t.options["seconds"])
	if err != nil {
		t.result("storm", err)
		return
	}
	mountDebug()
	t.check(fmt.Sprintf("storm: forks, cgroups, names and reloads under readers for %d s", seconds), func(m *machine) error {
		return m.storm(time.Duration(seconds) * time.Second)
	})
	t.check("storm: nothing leaked", checkLeaks)
}

func mountDebug() { _ = unix.Mount("debugfs", "/sys/kernel/debug", "debugfs", 0, "") }

func (m *machine) storm(length time.Duration) error {
	if err := wantTwoCPUs(); err != nil {
		return err
	}
	var errs []error
	var group sync.WaitGroup

	_ = os.WriteFile(kmemleak, []byte("clear"), 0)
	for i := range 3 {
		if _, err := m.start(dockerPath(containerID(fmt.Sprint("storm ", i))), "churn"); err != nil {
			return err
		}
	}
	named, err := m.start(dockerPath(containerID("storm names")), "rename")
	if err != nil {
		return err
	}

	readers := startReaders(3)
	done := make(chan struct{})
	group.Go(func() { renameUntil(done, named) })
	group.Go(func() { m.cgroupsUntil(done) })

	end := time.Now().Add(length)
	for round := 0; time.Now().Before(end) && len(errs) == 0; round++ {
		errs = appendError(errs, load(fmt.Sprintf("max_age_ms=%d cmdline_max=%d batch=%d", round%3, round%2*128, 16<<(round%5))))
		time.Sleep(2 * time.Second)
		errs = appendError(errs, eventually(unload))
	}

	close(done)
	group.Wait()
	return errors.Join(append(errs, readers.stop())...)
}

func wantTwoCPUs() error {
	if runtime.NumCPU() < 2 {
		return errors.New("the guest has one CPU: nothing would happen at the same time")
	}
	return nil
}

func appendError(errs []error, err error) []error {
	if err != nil {
		return append(errs, err)
	}
	return errs
}

func renameUntil(done chan struct{}, t *task) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
			_ = t.rename(strconv.Itoa(i) + "\xff\"\\")
		}
	}
}

// cgroupsUntil makes containers, runs something short in them, and removes them, with tasks of its own.
func (m *machine) cgroupsUntil(done chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}

		own := &machine{version: m.version}
		path := dockerPath(containerID(fmt.Sprint("short ", i%50)))
		_, _ = own.start(path+"/inner", []string{"exit", "threads", "sleep"}[i%3], "4")
		own.killAll()
		for j := len(own.groups) - 1; j >= 0; j-- {
			removeGroup(own.groups[j])
		}
	}
}

// checkLeaks asks kmemleak twice: an object must be unreferenced in two scans with some time between them.
func checkLeaks(*machine) error {
	if _, err := os.Stat(kmemleak); err != nil {
		return skipped("this kernel has no kmemleak")
	}
	for range 2 {
		time.Sleep(5500 * time.Millisecond)
		if err := os.WriteFile(kmemleak, []byte("scan"), 0); err != nil {
			return err
		}
	}

	text, err := os.ReadFile(kmemleak)
	if err != nil {
		return err
	}
	// Whatever was lost since the clear. The module's name cannot be looked for: it is unloaded, so its functions have none.
	if len(bytes.TrimSpace(text)) > 0 {
		fmt.Printf("guest: kmemleak: unreferenced object %s\n", text)
		return fmt.Errorf("%s", shorten(text))
	}
	return nil
}

// fault exercises a module that has a fault in it; the kernel's complaint on the console is what is wanted.
func (t *tester) fault() {
	mountDebug()
	t.check("fault: exercised", func(m *machine) error {
		_ = os.WriteFile(kmemleak, []byte("clear"), 0)
		if err := m.populate(3, 3); err != nil {
			return err
		}
		if err := load("max_age_ms=0"); err != nil {
			return err
		}
		for range 5 {
			_, _ = readAll(procFile, 1<<20)
		}
		return nil
	})
	t.check("fault: leaks", checkLeaks)
}

// race does nothing but read, from every CPU, for gestor.seconds: a race in the reading is found by a watch that happens
// to be set on the right access, so as few others as possible should be there.
func (t *tester) race() {
	seconds, err := strconv.Atoi(t.options["seconds"])
	if err != nil {
		t.result("race", err)
		return
	}
	t.check("race: readers at the same time", func(m *machine) error {
		if err := errors.Join(wantTwoCPUs(), m.populate(10, 5), load("max_age_ms=60000")); err != nil {
			return err
		}

		end := time.Now().Add(time.Duration(seconds) * time.Second)
		errs := make([]error, 2*runtime.NumCPU())
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() {
				for time.Now().Before(end) && errs[i] == nil {
					_, errs[i] = readAll(procFile, 1<<20)
				}
			})
		}
		group.Wait()
		return errors.Join(errs...)
	})
}
