// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_kill NAME: runs the spinning guest NAME (of raw_guest) in a child, sends SIGKILL and prints after how
 * many virtual microseconds its context had ended; fails above 20 ms. The context's end is what the module
 * says of it (DUNE_EVENT_ENDED): the kernel itself then waits for an SRCU grace period before wait(2) returns,
 * as for every process that ever had an MMU notifier.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "raw.h"

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static int64_t ended_us(int device)
{
	struct dune_event event;

	do {
		if (read(device, &event, sizeof(event)) != sizeof(event))
			raw_die("events: %m");
	} while (event.type != DUNE_EVENT_ENDED);
	return event.time_ns / 1000;
}

int main(int argc, char **argv)
{
	int device = raw_device(), status;
	int64_t start, took;
	pid_t pid;

	if (argc != 2)
		raw_die("raw_kill NAME");
	pid = fork();
	if (!pid) {
		execl("/progs/raw_guest", "raw_guest", argv[1], NULL);
		raw_die("exec: %m");
	}
	/* Spinning for certain: it was interrupted and entered again. */
	while (raw_stats(device, 0).counters[DUNE_COUNT_ENTRIES] < 10)
		usleep(1000);
	start = now_us();
	kill(pid, SIGKILL);
	took = ended_us(device) - start;
	waitpid(pid, &status, 0);
	printf("%s: ended after %lld us, waited for after %lld us, status %#x\n", argv[1],
	       (long long)took, (long long)(now_us() - start), status);
	return took > 20000 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
}
