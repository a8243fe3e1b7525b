// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A user in the storm. Expects calls without an answer while the service is killed, and nothing
 * else that is wrong: no other error, no program that ends without having been told to, no
 * context more or less.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm.h"

#define LOADER	      "/usr/lib/dune/dune-exec"
#define PRIVATE_LEAST 1024
#define EPT_LEAST     1024
#define WATCH_MS      100

static struct worker *me;
static struct dune_client *client;
static unsigned int random_state;

static unsigned int pick_below(unsigned int n)
{
	return (unsigned int)rand_r(&random_state) % n;
}

/* ---- programs ---- */

/* Not fork(): a child that has not come to its exec yet would hold all of the worker's. */
static pid_t run_in(const struct held *held, char *const *command)
{
	char number[16], *arguments[8] = { LOADER, number, command[0] }, *environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	snprintf(number, sizeof(number), "%d", held->fd);
	for (int i = 0; command[i]; i++)
		arguments[3 + i] = command[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, held->fd,
					 held->fd); /* no longer close-on-exec */
	r = posix_spawn(&pid, LOADER, &actions, NULL, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		storm_fail("starting %s: %s", LOADER, strerror(r));
	return pid;
}

static void expect_killed(struct held *held)
{
	int status;

	if (waitpid(held->program, &status, 0) != held->program || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		storm_fail("uid %d: context %" PRIu64 " was killed, status %#x", me->uid, held->id,
			   status);
	held->state = HELD_ENDED;
}

/* Programs end when they are told to, and only then. */
static void look_at_programs(void)
{
	for (unsigned int i = 0; i < me->nr; i++) {
		struct held *held = &me->held[i];
		int status;

		if (held->state != HELD_STARTED || !waitpid(held->program, &status, WNOHANG))
			continue;
		if (!held->kill_tried)
			storm_fail("uid %d: the program of context %" PRIu64
				   " ended by itself: %#x",
				   me->uid, held->id, status);
		held->state = HELD_ENDED;
	}
}

static struct held *pick(enum held_state state)
{
	unsigned int first = me->nr ? pick_below(me->nr) : 0;

	for (unsigned int i = 0; i < me->nr; i++) {
		struct held *held = &me->held[(first + i) % me->nr];

		if (held->state == state)
			return held;
	}
	return NULL;
}

/* ---- what it does; each returns 0 or what the service's client did ---- */

/* Never below what is used, so that quotas count the limits. */
static struct dune_client_limits some_limits(void)
{
	return (struct dune_client_limits){ .vcpus = 1 + pick_below(3),
					    .private_pages = PRIVATE_LEAST + pick_below(100),
					    .ept_pages = EPT_LEAST + pick_below(100) };
}

static int create(struct held **ret_held)
{
	struct held *held = &me->held[me->nr];
	int r;

	*held = (struct held){ .limits = some_limits() };
	me->attempted++;
	r = dune_client_create(client, NULL, &held->limits, &held->id, &held->fd);
	if (r < 0)
		return r;
	me->created++;
	me->nr++;
	*ret_held = held;
	return 0;
}

static void drop(struct held *held)
{
	close(held->fd);
	*held = me->held[--me->nr];
}

static int op_create(void)
{
	struct held *held;

	return me->nr < STORM_HELD_MAX ? create(&held) : 0;
}

static int op_start(void)
{
	static char *const command[] = { "/bin/busybox", "tail", "-f", "/dev/null", NULL };
	struct held *held = pick(HELD_NEW);

	if (!held)
		return op_create();
	held->program = run_in(held, command);
	held->state = HELD_STARTED;
	return 0;
}

static int op_kill(void)
{
	struct held *held = pick(HELD_STARTED);
	int r;

	if (!held)
		return op_start();
	r = dune_client_kill(client, held->id, NULL);
	if (!r)
		expect_killed(held);
	else if (r != -ESRCH)
		held->kill_tried = true;
	return r == -ESRCH ? 0 : r; /* its loader has not come so far yet */
}

/* Without the service. */
static int op_end(void)
{
	struct held *held = pick(HELD_STARTED);

	if (!held)
		return op_start();
	kill(held->program, SIGKILL);
	expect_killed(held);
	return 0;
}

static int op_close(void)
{
	struct held *held = pick(HELD_ENDED);

	if (!held && me->nr > 2)
		held = pick(HELD_NEW);
	if (!held)
		return op_end();
	drop(held);
	return 0;
}

/* A whole life. */
static int op_brief(void)
{
	static char *const command[] = { "/bin/busybox", "true", NULL };
	struct held *held;
	int r, status;

	if (me->nr == STORM_HELD_MAX)
		return op_close();
	r = create(&held);
	if (r < 0)
		return r;
	held->program = run_in(held, command);
	if (waitpid(held->program, &status, 0) != held->program || status)
		storm_fail("uid %d: `true' in context %" PRIu64 ": status %#x", me->uid, held->id,
			   status);
	drop(held);
	return 0;
}

static bool is_mine(uint64_t id)
{
	for (unsigned int i = 0; i < me->nr; i++) {
		if (me->held[i].id == id)
			return true;
	}
	return false;
}

static int op_list(void)
{
	struct dune_client_list *list;
	int r = dune_client_list(client, &list);

	if (r < 0)
		return r;
	if (list->nr != me->nr)
		storm_fail("uid %d: %zu contexts in the list, not %u", me->uid, list->nr, me->nr);
	for (size_t i = 0; i < list->nr; i++) {
		if (!is_mine(list->contexts[i]->id))
			storm_fail("uid %d: context %" PRIu64 " is unknown", me->uid,
				   list->contexts[i]->id);
	}
	dune_client_list_free(list);
	return 0;
}

static int sampled(const struct dune_client_stats *stats, void *data)
{
	unsigned int *samples = data;

	if (stats->nr != me->nr)
		storm_fail("uid %d: %zu contexts in the statistics, not %u", me->uid, stats->nr,
			   me->nr);
	return ++*samples == 2;
}

static int op_limit(void)
{
	struct held *held = me->nr ? &me->held[pick_below(me->nr)] : NULL;
	int r;

	if (!held || held->unanswered.vcpus)
		return op_list();
	held->unanswered = some_limits();
	r = dune_client_set_limits(client, held->id, NULL, &held->unanswered);
	if (r < 0)
		return r;
	held->limits = held->unanswered;
	held->unanswered = (struct dune_client_limits){ 0 };
	me->changed++;
	return 0;
}

static int op_watch(void)
{
	struct dune_client *watcher;
	unsigned int samples = 0;
	int r = dune_client_new(NULL, &watcher);

	if (r < 0)
		return -ECONNRESET;
	r = dune_client_watch(watcher, 0, NULL, WATCH_MS, sampled, &samples);
	dune_client_free(watcher);
	return r == 1 ? 0 : r;
}

static const struct {
	int (*function)(void);
	unsigned int weight;
} operations[] = {
	{ op_create, 4 }, { op_start, 4 }, { op_kill, 3 },  { op_end, 1 },   { op_close, 3 },
	{ op_brief, 2 },  { op_list, 3 },  { op_watch, 1 }, { op_limit, 4 },
};

static int operate(void)
{
	unsigned int sum = 0, chosen, i;

	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		sum += operations[i].weight;
	chosen = pick_below(sum);
	for (i = 0; chosen >= operations[i].weight; i++)
		chosen -= operations[i].weight;
	return operations[i].function();
}

/* ---- its life ---- */

static bool connected(void)
{
	int r;

	if (client)
		return true;
	r = dune_client_new(NULL, &client);
	if (!r)
		dune_client_set_timeout(client, STORM_PATIENCE_MS);
	else if (r != -ENOENT && r != -ECONNREFUSED && r != -EACCES)
		storm_fail("uid %d: connecting: %s", me->uid, strerror(-r));
	return !r;
}

static void pause_until_released(void)
{
	while (storm->park && !storm->stop) {
		me->parked = true;
		usleep(STORM_POLL_USEC);
	}
	me->parked = false;
}

static void one_operation(int (*function)(void))
{
	int r;

	if (!connected()) {
		usleep(STORM_POLL_USEC);
		return;
	}
	r = function();
	look_at_programs();
	if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE) {
		me->dropped++;
		dune_client_free(client);
		client = NULL;
	} else if (r < 0) {
		storm_fail("uid %d: %s: %s", me->uid, strerror(-r), dune_client_error_text(client));
	} else {
		me->operations++;
	}
}

/* All programs are killed and waited for, all contexts closed. */
static void __attribute__((noreturn)) leave(void)
{
	while (me->nr) {
		struct held *held = &me->held[0];

		if (held->state == HELD_STARTED) {
			kill(held->program, SIGKILL);
			expect_killed(held);
		}
		drop(held);
	}
	dune_client_free(client);
	exit(0);
}

void worker_run(struct worker *worker, unsigned int seed)
{
	me = worker;
	random_state = seed;
	if (setgid(me->uid) || setuid(me->uid))
		storm_fail("becoming uid %d: %m", me->uid);
	while (me->lasting && me->nr < STORM_LASTING)
		one_operation(op_create);
	for (unsigned int i = 0; me->lasting && i < STORM_LASTING; i++)
		one_operation(op_start);
	while (!storm->stop) {
		pause_until_released();
		one_operation(me->lasting ? op_list : operate);
		if (me->lasting)
			usleep(10 * STORM_POLL_USEC);
	}
	leave();
}
