// SPDX-License-Identifier: GPL-2.0
/*
 * What a reading of all containers costs, in four ways, printed as "value WAY NANOSECONDS" per line. In a virtual
 * machine with a deterministic clock (qemu -icount shift=0) a nanosecond is an instruction.
 *
 *   cost CONTAINERS PROCESSES     cgroup v2 is mounted, the module is loaded with max_age_ms=0
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup/docker"
#define REPEAT 3

static const char *const files[] = { "cpu.stat", "memory.current", "memory.stat", "memory.events", "pids.current" };
#define FILES (sizeof(files) / sizeof(files[0]))

static char buffer[32 << 20];
static int containers;
static int *kept;

static void fail(const char *what)
{
	printf("cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void container_dir(char *path, size_t size, int index)
{
	snprintf(path, size, ROOT "/%064x", index + 1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

/*
 * One child per container enters it and forks the others there. Each closes its end of the pipe when it has nothing left
 * to do but to sleep: the end of the file means that all are there.
 */
static void populate(int index, int processes)
{
	char dir[160], procs[200];
	int ready[2];
	char c;

	container_dir(dir, sizeof(dir), index);
	if (mkdir(dir, 0755) && errno != EEXIST)
		fail(dir);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	if (pipe(ready))
		fail("pipe");
	if (fork() == 0) {
		write_file(procs, "0");
		while (--processes > 0 && fork())
			;
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 0)
		fail("populate");
	close(ready[0]);
}

/* From here on nobody else runs but interrupts: what the others still have to do would be counted as ours. */
static void take_the_cpu(void)
{
	struct sched_param first = { .sched_priority = 1 };

	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		fail("sched_setscheduler");
}

static long read_whole(const char *path)
{
	long total = 0, got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		total += got;
	close(fd);
	return total;
}

static void module_full(void)
{
	read_whole("/proc/sysinfo_gestor");
}

static void module_totals(void)
{
	read_whole("/proc/sysinfo_gestor_totals");
}

static void opened(void)
{
	char path[256];

	for (int i = 0; i < containers; i++) {
		for (size_t f = 0; f < FILES; f++) {
			snprintf(path, sizeof(path), ROOT "/%064x/%s", i + 1, files[f]);
			read_whole(path);
		}
	}
}

static void keep_open(void)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	char path[256];

	setrlimit(RLIMIT_NOFILE, &limit);
	kept = calloc(containers * FILES, sizeof(*kept));
	for (int i = 0; i < containers; i++) {
		for (size_t f = 0; f < FILES; f++) {
			snprintf(path, sizeof(path), ROOT "/%064x/%s", i + 1, files[f]);
			kept[i * FILES + f] = open(path, O_RDONLY);
			if (kept[i * FILES + f] < 0)
				fail(path);
		}
	}
}

static void kept_open(void)
{
	for (size_t i = 0; i < containers * FILES; i++) {
		if (pread(kept[i], buffer, sizeof(buffer), 0) < 0)
			fail("pread");
	}
}

static void proc_walk(void)
{
	static const char *const names[] = { "stat", "statm", "cgroup" };
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300];

	while ((entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		for (int i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), "/proc/%s/%s", entry->d_name, names[i]);
			read_whole(path);
		}
	}
	closedir(proc);
}

/* The best of some: the first pays for cold caches, and a timer tick may fall into any. */
static void measure(const char *name, void (*way)(void))
{
	unsigned long long best = ~0ULL, took;

	for (int i = 0; i < REPEAT; i++) {
		took = now();
		way();
		took = now() - took;
		if (took < best)
			best = took;
	}
	printf("value %s %llu\n", name, best);
	fflush(stdout);
}

/* The first reading has none before it to build on: every cgroup's path is still to be parsed, and the arrays grow. */
static void measure_first(void)
{
	unsigned long long took = now();
	long bytes = read_whole("/proc/sysinfo_gestor");

	took = now() - took;
	printf("value module-first %llu\nvalue bytes %ld\nvalue bytes-totals %ld\n", took, bytes,
	       read_whole("/proc/sysinfo_gestor_totals"));
}

/* What one more read call of a small buffer costs. */
static void measure_small_reads(void)
{
	char small[4096];
	long calls = 0;
	unsigned long long took;
	int fd = open("/proc/sysinfo_gestor", O_RDONLY);

	took = now();
	while (read(fd, small, sizeof(small)) > 0)
		calls++;
	took = now() - took;
	close(fd);
	printf("value module-4k-reads %llu\nvalue module-4k-read-calls %ld\n", took, calls);
}

int main(int argc, char **argv)
{
	int processes;

	if (argc < 3)
		return 2;
	containers = atoi(argv[1]);
	processes = atoi(argv[2]);
	if (mkdir(ROOT, 0755) && errno != EEXIST)
		fail(ROOT);
	write_file(ROOT "/../cgroup.subtree_control", "+memory +pids +cpu");
	write_file(ROOT "/cgroup.subtree_control", "+memory +pids +cpu");
	write_file("/proc/sys/kernel/pid_max", "4194304");
	for (int i = 0; i < containers; i++)
		populate(i, processes);
	take_the_cpu();
	measure_first();
	measure("module", module_full);
	measure("module-totals", module_totals);
	measure_small_reads();
	measure("cgroup-files-opened", opened);
	keep_open();
	measure("cgroup-files-kept", kept_open);
	measure("proc-walk", proc_walk);
	return 0;
}
