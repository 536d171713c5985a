// SPDX-License-Identifier: GPL-2.0
/*
 * What runs inside the containers of the tests: one small process with exactly known behaviour.
 *
 *   workload sleep | spin | alloc MIB | threads N | deadleader MIB | rename HEX | churn | readdev PATH MIB
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

/* Tells the parent that everything has been set up; it reads one line. */
static void ready(void)
{
	puts("ready");
	fclose(stdout);
}

static void touch_memory(long mib)
{
	size_t size = (size_t)mib << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
}

static void *thread_sleep(void *unused)
{
	(void)unused;
	sleep_for_ever();
	return NULL;
}

static void *thread_alloc(void *mib)
{
	touch_memory((long)mib);
	ready();
	sleep_for_ever();
	return NULL;
}

static void start_threads(long count)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	while (count-- > 1) {
		if (pthread_create(&thread, &attr, thread_sleep, NULL))
			_exit(1);
	}
}

static void dead_leader(long mib)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_alloc, (void *)mib))
		_exit(1);
	pthread_exit(NULL);
}

/* Name bytes come as hex, since they may be anything. */
static void rename_self(const char *hex)
{
	char name[16] = "";
	unsigned int byte;

	for (int i = 0; i < 15 && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
		name[i] = (char)byte;
	prctl(PR_SET_NAME, name);
}

/* New names by the line, each answered, until the input ends. */
static void rename_on_command(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		rename_self(line);
		puts("ready");
		fflush(stdout);
	}
}

/* Children that burn a little and exit, for ever. */
static void churn(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			for (volatile long i = 0; i < 200000; i++)
				;
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

/* Burns CPU time for that many milliseconds of its own CPU clock, then sleeps. */
static void burn(long ms)
{
	struct timespec used;

	do {
		for (volatile long i = 0; i < 100000; i++)
			;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
}

static void read_device(const char *path, long mib)
{
	static char buffer[1 << 20];
	int fd = open(path, O_RDONLY);

	while (fd >= 0 && mib-- > 0) {
		if (read(fd, buffer, sizeof(buffer)) <= 0)
			_exit(1);
	}
	if (fd < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "sleep";
	long number = argc > 2 ? atol(argv[2]) : 0;

	/* Whoever starts it moves it into its container first, then writes one line. */
	if (getenv("GESTOR_WAIT")) {
		char line[8];

		if (!fgets(line, sizeof(line), stdin))
			return 1;
	}
	if (!strcmp(mode, "deadleader"))
		dead_leader(number);
	if (!strcmp(mode, "rename"))
		rename_on_command();
	else if (!strcmp(mode, "alloc"))
		touch_memory(number);
	else if (!strcmp(mode, "threads"))
		start_threads(number);
	else if (!strcmp(mode, "burn"))
		burn(number);
	else if (!strcmp(mode, "readdev") && argc > 3)
		read_device(argv[2], atol(argv[3]));
	ready();
	if (!strcmp(mode, "spin"))
		for (;;)
			;
	if (!strcmp(mode, "churn"))
		churn();
	if (!strcmp(mode, "exit"))
		return 0;
	sleep_for_ever();
}
