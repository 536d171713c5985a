package main

import "fmt"

// capture sends a document of a small population to the host, for the golden tests of its readers.
func (t *tester) capture(m *machine) error {
	id := containerID("captured")
	for _, args := range [][]string{{"alloc", "8"}, {"threads", "4"}, {"burn", "120"}} {
		if _, err := m.start(dockerPath(id), args...); err != nil {
			return err
		}
	}
	if _, err := m.start("/machine.slice/libpod-"+containerID("captured too")+".scope/container", "sleep"); err != nil {
		return err
	}
	named, err := m.start("/docker/"+containerID("captured names"), "rename")
	if err != nil {
		return err
	}
	if err := named.rename("a\"\\\n\xff żó"); err != nil {
		return err
	}
	if err := load("cmdline_max=256"); err != nil {
		return err
	}

	text, err := readAll(procFile, 1<<20)
	if err != nil {
		return err
	}
	if _, err := parse(text); err != nil {
		return err
	}
	t.document(fmt.Sprintf("snapshot-module-cgroup%s", m.version), text)
	return nil
}
