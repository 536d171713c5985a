package main

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
)

// cost loads the module, runs /cost with the sizes of gestor.size=CONTAINERSxPROCESSES, and passes its values on. One size
// for each boot: the processes of one would be in the way of the next.
func (t *tester) cost() {
	containers, processes, ok := strings.Cut(t.options["size"], "x")
	if !ok {
		t.result("cost", fmt.Errorf("gestor.size is %q, want CONTAINERSxPROCESSES", t.options["size"]))
		return
	}
	t.result("cost "+t.options["size"], t.measure(containers, processes))
}

func (t *tester) measure(containers, processes string) error {
	if err := load("max_age_ms=0 max_procs=1000000"); err != nil {
		return err
	}

	cmd := exec.Command("/cost", containers, processes)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// The tasks that it leaves behind hold the pipe open: its last value has to be known by the count.
	const last = 10
	values := 0
	for lines := bufio.NewScanner(out); values < last && lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "value "), " ")
		if !ok || !strings.HasPrefix(lines.Text(), "value ") {
			return fmt.Errorf("cost: %s", lines.Text())
		}
		t.value(name, value)
		values++
	}
	if values < last {
		return fmt.Errorf("only %d values came", values)
	}
	snap, err := snapshot()
	if err != nil {
		return err
	}
	t.value("containers", snap.ContainerTotal)
	t.value("processes", snap.ProcessTotal)
	t.value("walk", snap.Self.WalkUS*1000)
	t.value("longest-rcu", *snap.Self.LongestRCUUS*1000)
	return nil
}
