// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * storm ROUNDS [SEED]: starts the service, kills it ROUNDS times at random points (some of them
 * while it starts) under four users (worker.c), starts it again each time, and checks
 * (verify.c). Prints how long the service was away in virtual time, of which a second is 20
 * million instructions of all that runs. On this host the same with contexts of paper and a
 * thousand kills: tests/service/crash/storm.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

#define SERVICE_UID	  999
#define ROUNDS_MAX	  1000
#define MOST_OPERATIONS	  12 /* of all workers between two kills */
#define MOST_PAUSE_USEC	  100000 /* then, in the midst of others */
#define MOST_START_USEC	  1200000
#define START_KILLED_PART 4 /* one start in so many is killed as well */
#define READY_MS	  3000 /* 60 million instructions, of which more than half are the users' */
#define DEBUG_READY_MS	  9000 /* with a kernel's KASAN and lockdep, which are not ours to judge */

struct storm *storm;

static unsigned int random_state;
static pid_t service;
static unsigned int taken_ms[ROUNDS_MAX];

void storm_fail(const char *format, ...)
{
	va_list arguments;

	storm->failed = true;
	va_start(arguments, format);
	fputs("STORM: ", stdout);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
	fflush(stdout);
	_exit(1);
}

static unsigned int pick_below(unsigned int n)
{
	return (unsigned int)rand_r(&random_state) % n;
}

static unsigned int now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned int)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void start_service(void)
{
	int log;

	service = fork();
	if (service < 0)
		storm_fail("fork: %m");
	if (service)
		return;
	log = open("/tmp/duned.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || setgroups(0, NULL) ||
	    setgid(SERVICE_UID) || setuid(SERVICE_UID))
		_exit(1);
	execl("/usr/bin/duned", "duned", "--config=/tmp/duned.conf", NULL);
	_exit(1);
}

static void kill_service(void)
{
	int status;

	kill(service, SIGKILL);
	if (waitpid(service, &status, 0) != service || !WIFSIGNALED(status))
		storm_fail("the service ended by itself: status %#x", status);
}

static void first_answer(void)
{
	unsigned int deadline = now_ms() + STORM_PATIENCE_MS;
	struct dune_client *client;
	struct dune_client_info *info;

	while (dune_client_new(NULL, &client) < 0) {
		if (now_ms() > deadline || waitpid(service, NULL, WNOHANG))
			storm_fail("the service does not start");
		usleep(STORM_POLL_USEC);
	}
	dune_client_set_timeout(client, STORM_PATIENCE_MS);
	if (dune_client_info(client, &info) < 0)
		storm_fail("the first answer: %s", dune_client_error_text(client));
	dune_client_info_free(info);
	dune_client_free(client);
}

static unsigned int operations(void)
{
	unsigned int sum = 0;

	for (int i = 0; i < STORM_WORKERS; i++)
		sum += storm->workers[i].operations;
	return sum;
}

/* Waits for something of the workers. */
static void wait_until(bool (*condition)(unsigned int argument), unsigned int argument,
		       const char *what)
{
	unsigned int deadline = now_ms() + STORM_PATIENCE_MS;

	while (!condition(argument)) {
		if (storm->failed)
			exit(1);
		if (now_ms() > deadline)
			storm_fail("%s", what);
		usleep(STORM_POLL_USEC);
	}
}

static bool has_done(unsigned int wanted)
{
	return operations() >= wanted;
}

static bool all_stand(unsigned int argument)
{
	for (int i = 0; i < STORM_WORKERS; i++) {
		if (!storm->workers[i].parked)
			return false;
	}
	return true;
}

static void park(void)
{
	storm->park = true;
	wait_until(all_stand, 0, "a user got neither an answer nor an end");
}

/* The programs that live through everything have come so far that they run. */
static bool lasting_run(unsigned int argument)
{
	struct dune_client_list *list;
	struct dune_client *client;
	unsigned int running = 0;

	if (dune_client_new(NULL, &client) < 0)
		return false;
	if (!dune_client_list(client, &list)) {
		for (size_t i = 0; i < list->nr; i++)
			running += list->contexts[i]->owner ==
					   STORM_FIRST_UID + STORM_WORKERS - 1 &&
				   !strcmp(list->contexts[i]->state, "running");
		dune_client_list_free(list);
	}
	dune_client_free(client);
	return running == STORM_LASTING;
}

/* How long the service was away. */
static unsigned int kill_and_start(void)
{
	unsigned int killed;

	kill_service();
	killed = now_ms();
	start_service();
	if (!pick_below(START_KILLED_PART)) {
		usleep(pick_below(MOST_START_USEC));
		kill_service();
		killed = now_ms();
		start_service();
	}
	first_answer();
	return now_ms() - killed;
}

static int compare(const void *a, const void *b)
{
	unsigned int left = *(const unsigned int *)a, right = *(const unsigned int *)b;

	return left < right ? -1 : left > right;
}

static void start_workers(unsigned int seed)
{
	fflush(stdout);
	for (int i = 0; i < STORM_WORKERS; i++) {
		struct worker *worker = &storm->workers[i];
		pid_t pid;

		worker->uid = STORM_FIRST_UID + (uid_t)i;
		worker->lasting = i == STORM_WORKERS - 1;
		pid = fork();
		if (pid < 0)
			storm_fail("fork: %m");
		if (!pid)
			worker_run(worker, seed * 100 + (unsigned int)i);
		worker->pid = pid;
	}
	wait_until(lasting_run, 0, "the lasting programs do not run");
}

static void stop_workers(void)
{
	int status;

	storm->stop = true;
	for (int i = 0; i < STORM_WORKERS; i++) {
		if (waitpid(storm->workers[i].pid, &status, 0) != storm->workers[i].pid || status)
			storm_fail("uid %d ended with %#x", storm->workers[i].uid, status);
	}
	kill(service, SIGTERM);
	if (waitpid(service, &status, 0) != service || status)
		storm_fail("the service told to stop ended with %#x", status);
}

/* The contexts that lived through it have run all the time. */
static void expect_work(const uint64_t *before)
{
	const struct worker *worker = &storm->workers[STORM_WORKERS - 1];

	for (int i = 0; i < STORM_LASTING; i++) {
		if (worker->held[i].entries <= before[i])
			storm_fail("a lasting context has stood still at %llu entries",
				   (unsigned long long)before[i]);
	}
}

static unsigned int ready_ms(void)
{
	return access("/proc/lockdep", F_OK) ? READY_MS : DEBUG_READY_MS;
}

static void summarize(unsigned int rounds)
{
	unsigned int created = 0, changed = 0, dropped = 0;

	for (int i = 0; i < STORM_WORKERS; i++) {
		created += storm->workers[i].created;
		changed += storm->workers[i].changed;
		dropped += storm->workers[i].dropped;
	}
	qsort(taken_ms, rounds, sizeof(taken_ms[0]), compare);
	printf("%u kills, %u operations, %u contexts created, %u limits changed, %u calls without an "
	       "answer; from the kill to the next answer, virtual: median %u ms, at most %u ms\n",
	       rounds, operations(), created, changed, dropped, taken_ms[rounds / 2],
	       taken_ms[rounds - 1]);
	if (!dropped)
		storm_fail("no kill met a call");
	if (taken_ms[rounds - 1] > ready_ms())
		storm_fail("the service was away for more than %u ms", ready_ms());
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 10;
	unsigned int seed = argc > 2 ? (unsigned int)atoi(argv[2]) : 1;
	uint64_t before[STORM_LASTING];

	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (storm == MAP_FAILED || !rounds || rounds > ROUNDS_MAX)
		return 2;
	random_state = seed;
	start_service();
	first_answer();
	start_workers(seed);
	park();
	verify(0);
	for (int i = 0; i < STORM_LASTING; i++)
		before[i] = storm->workers[STORM_WORKERS - 1].held[i].entries;
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int wanted = operations() + 1 + pick_below(MOST_OPERATIONS);

		storm->park = false;
		wait_until(has_done, wanted, "the users get nowhere");
		usleep(pick_below(MOST_PAUSE_USEC));
		taken_ms[i] = kill_and_start();
		park();
		verify(i + 1);
		printf("round %u: away for %u ms, %u operations\n", i + 1, taken_ms[i],
		       operations());
		fflush(stdout);
	}
	expect_work(before);
	stop_workers();
	summarize(rounds);
	return 0;
}
