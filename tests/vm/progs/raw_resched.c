// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A real-time task on the CPU of a guest that has interrupts off in its runtime, so that a signal for it has to wait:
 * the signal may wait, the task may not. Its sleeps must not last longer than the bound on time in the guest.
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "raw.h"

#define SIGNALS	 6 /* fewer than a context may have waiting */
#define LOOKS	 40 /* after each */
#define SLEEP_US 500
#define LATE_US	 9000 /* twice the preemption timer's 4 ms, and a bit */

static const char spin[] = "\xfa\xeb\xfe"; /* cli; jmp . */

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static pid_t start_guest(int device)
{
	struct sigaction action = {};
	pid_t pid = fork();

	if (pid)
		return pid;
	action.sa_handler = (void (*)(int))(DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_SIGNAL);
	sigaction(SIGUSR1, &action, NULL);
	raw_go(raw_setup(device, "spin", spin, sizeof(spin) - 1));
}

int main(void)
{
	struct sched_param fifo = { .sched_priority = 10 };
	int device = raw_device(), status;
	int64_t worst = 0;
	uint64_t deferred;
	cpu_set_t first;
	pid_t pid;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		raw_die("sched_setaffinity: %m");
	pid = start_guest(device);
	while (raw_stats(device, 0).counters[DUNE_COUNT_ENTRIES] < 10)
		usleep(1000);
	if (sched_setscheduler(0, SCHED_FIFO, &fifo))
		raw_die("SCHED_FIFO: %m");
	for (int s = 0; s < SIGNALS; s++) {
		kill(pid, SIGUSR1);
		for (int i = 0; i < LOOKS; i++) {
			int64_t start = now_us(), late;

			usleep(SLEEP_US);
			late = now_us() - start - SLEEP_US;
			worst = late > worst ? late : worst;
		}
	}
	deferred = raw_stats(device, 0).counters[DUNE_COUNT_DEFERRED];
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("at most %lld us late, %llu re-entries with a signal waiting, status %#x\n",
	       (long long)worst, (unsigned long long)deferred, status);
	return worst > LATE_US || deferred < SIGNALS || status != SIGKILL;
}
