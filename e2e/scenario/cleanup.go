package scenario

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// killTimeout is how long the kernel may take to end what was killed.
const killTimeout = time.Minute

// openEngines are those that have not been ended yet: an interrupt ends the process without any clean-up of a test.
var openEngines = struct {
	sync.Mutex
	sync.Once
	engines map[*PrivateEngine]bool
	folders []string
}{engines: map[*PrivateEngine]bool{}}

// TempDir makes a folder of a short name, which an interrupt of a test with an engine removes too.
func TempDir(pattern string) (dir string, remove func() error, err error) {
	// Locked before: an interrupt removes what has been made by then, and nothing is made after it.
	openEngines.Lock()
	defer openEngines.Unlock()

	dir, err = os.MkdirTemp("", pattern)
	openEngines.folders = append(openEngines.folders, dir)
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// register adds an engine to those that an interrupt ends.
func (p *PrivateEngine) register() {
	openEngines.Lock()
	defer openEngines.Unlock()
	openEngines.engines[p] = true

	openEngines.Do(func() {
		interrupts := make(chan os.Signal, 1)
		signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
		go func() {
			<-interrupts

			// Never unlocked: from here on nothing is opened any more.
			openEngines.Lock()
			for engine := range openEngines.engines {
				if err := engine.endAll(); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
			for _, dir := range openEngines.folders {
				os.RemoveAll(dir)
			}

			os.Exit(1)
		}()
	})
}

// endAll ends whatever came from the engine: the daemon, shims and monitors, containers, the first processes of containers that were
// never started (`runc init`), storage helpers, and the cgroups of its containers. Its mounts and its network end with the last
// process in its namespaces.
func (p *PrivateEngine) endAll() error {
	ids := p.containerIDs()
	if err := waitUntil(killTimeout, func() error {
		left := p.processes(ids)
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		if len(left) > 0 {
			return fmt.Errorf("end the engine: its processes %v live on", left)
		}
		return nil
	}); err != nil {
		return err
	}

	// The kernel gives a cgroup up a moment after its last process.
	if err := waitUntil(killTimeout, func() error {
		left := cgroups(ids)
		for _, path := range left {
			_ = os.Remove(path) // what is busy is tried again
		}
		if len(left) > 0 {
			return fmt.Errorf("end the engine: its cgroups %v stay", left)
		}
		return nil
	}); err != nil {
		return err
	}

	// The groups above them are the engine's only where it made them.
	for _, path := range cgroupParents() {
		if !slices.Contains(p.groups, path) {
			_ = os.Remove(filepath.Join(path, "conmon"))
			_ = os.Remove(path) // another engine may use it by now
		}
	}
	return nil
}

// cgroupParents are the groups below which engines make those of containers.
func cgroupParents() (paths []string) {
	for _, pattern := range []string{"/sys/fs/cgroup/%s", "/sys/fs/cgroup/*/%s"} { // version 2, version 1
		for _, name := range []string{"docker", "libpod_parent"} {
			found, _ := filepath.Glob(fmt.Sprintf(pattern, name)) // the pattern is right
			paths = append(paths, found...)
		}
	}
	return paths
}

// Leftovers is what there still is of an engine: processes, cgroups of its containers, mounts that the host sees.
func (p *PrivateEngine) Leftovers() (found []string) {
	ids := p.containerIDs()
	for _, pid := range p.processes(ids) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
		found = append(found, fmt.Sprintf("process %d: %s", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}

	for _, path := range cgroups(ids) {
		found = append(found, "cgroup "+path)
	}

	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || p.mentionedIn(mounts) {
		found = append(found, fmt.Sprintf("mounts below %s (%v)", p.dir, err))
	}
	return found
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

// containerIDs are the ids of all containers that the engine keeps in its folder, running or not, and of those that podman names in its
// events: it may have removed a container and not its cgroup, when two remove it at the same moment.
func (p *PrivateEngine) containerIDs() []string {
	ids := map[string]bool{}
	for _, pattern := range []string{"containers/*", "*-containers/*"} { // Docker's, podman's
		paths, _ := filepath.Glob(filepath.Join(p.dir, "root", pattern)) // the pattern is right
		for _, path := range paths {
			if id := filepath.Base(path); len(id) == 64 {
				ids[id] = true
			}
		}
	}

	events, _ := os.ReadFile(filepath.Join(p.dir, "tmp", "events", "events.log")) // of podman alone
	for _, id := range containerID.FindAllString(string(events), -1) {
		ids[id] = true
	}
	return slices.Collect(maps.Keys(ids))
}

// processes are those that came from the engine: their command line or their mounts name its folder, which is a mount in its
// namespace and in every one that was made from it, or their cgroup is that of one of its containers.
func (p *PrivateEngine) processes(ids []string) (pids []int) {
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}

		if p.owns(path, ids) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (p *PrivateEngine) owns(proc string, ids []string) bool {
	read := func(name string) []byte {
		text, _ := os.ReadFile(filepath.Join(proc, name)) // it may have ended
		return text
	}
	if p.mentionedIn(read("mountinfo")) || p.mentionedIn(read("cmdline")) {
		return true
	}

	groups := string(read("cgroup"))
	return slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(groups, id) })
}

// mentionedIn says whether a text has the engine's folder or something in it.
func (p *PrivateEngine) mentionedIn(text []byte) bool {
	return bytes.Contains(text, []byte(p.dir+"/")) || bytes.Contains(text, []byte(p.dir+" "))
}

// cgroups are the groups of the containers with these ids in every hierarchy, the innermost first.
func cgroups(ids []string) (paths []string) {
	if len(ids) == 0 {
		return nil
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(path, id) }) {
			paths = append(paths, path)
		}
		return nil // groups come and go meanwhile
	})
	slices.Reverse(paths)
	return paths
}
