// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of paper contexts; see fake_table.h. */
#include "tests/unit/fake_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define FAKE_PID	 4242
#define READY		 64 /* pipes looked at in one go */
#define ATTACHED_PRIVATE 17 /* pages that a process has as soon as it is attached */

static struct {
	struct dune_stats stats[FAKE_CONTEXTS_LARGE]; /* ids ascend; dead rows keep theirs */
	int pipes[FAKE_CONTEXTS_LARGE]; /* read ends; -1: the row is dead */
	size_t nr_rows, nr_alive;
	size_t room; /* contexts that there can be */
	uint64_t max_contexts; /* that DUNE_INFO tells */
	uint64_t max_vcpus;
	uint64_t created;
	struct dune_event events[FAKE_EVENTS];
	size_t nr_events;
	uint64_t nr_lost;
	struct dune_totals freed;
	int poller; /* all the pipes, and `signal` */
	int signal; /* eventfd: readable while there are events */
} fake = { .poller = -1, .signal = -1 };

/* ---- rows ---- */

/* The row of this id or the next higher one. */
static size_t row_at_least(uint64_t id)
{
	size_t low = 0, high = fake.nr_rows;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (fake.stats[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct dune_stats *row_find(uint64_t id)
{
	size_t row = row_at_least(id);

	if (row == fake.nr_rows || fake.stats[row].id != id || fake.pipes[row] < 0)
		return NULL;
	return &fake.stats[row];
}

static void rows_compact(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < fake.nr_rows; i++) {
		if (fake.pipes[i] < 0)
			continue;
		if (kept != i)
			fake.stats[kept] = fake.stats[i];
		fake.pipes[kept++] = fake.pipes[i];
	}
	fake.nr_rows = kept;
}

/* ---- events ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void event_add(const struct dune_stats *stats, uint32_t type, uint32_t value,
		      uint64_t detail)
{
	struct dune_event *event = &fake.events[fake.nr_events];
	uint64_t one = 1;

	if (fake.nr_events == FAKE_EVENTS) {
		fake.nr_lost++;
		return;
	}
	*event = (struct dune_event){
		.time_ns = now_ns(),
		.id = stats->id,
		.type = type,
		.owner = stats->owner,
		.pid = stats->pid,
		.value = value,
		.detail = detail,
	};
	memcpy(event->name, stats->name, sizeof(event->name));
	if (!fake.nr_events++ && write(fake.signal, &one, sizeof(one)) < 0)
		perror("eventfd");
}

static void events_drained(void)
{
	uint64_t number;

	if (read(fake.signal, &number, sizeof(number)) < 0 && errno != EAGAIN)
		perror("eventfd");
}

void fake_table_forget_events(void)
{
	fake.nr_events = 0;
	fake.nr_lost = 0;
	events_drained();
}

int fake_table_events(struct dune_event *buffer, size_t capacity)
{
	size_t count;

	fake_table_settle();
	count = fake.nr_events < capacity ? fake.nr_events : capacity;
	memcpy(buffer, fake.events, count * sizeof(*buffer));
	fake.nr_events -= count;
	memmove(fake.events, fake.events + count, fake.nr_events * sizeof(*buffer));
	/* What did not fit came after these. */
	if (!fake.nr_events && fake.nr_lost && count < capacity) {
		buffer[count++] =
			(struct dune_event){ .type = DUNE_EVENT_LOST, .detail = fake.nr_lost };
		fake.nr_lost = 0;
	}
	if (!fake.nr_events && !fake.nr_lost)
		events_drained();
	return (int)count;
}

/* ---- what happens to contexts ---- */

static void use_nothing(struct dune_stats *stats)
{
	for (int i = DUNE_COUNT_VCPUS_NOW; i <= DUNE_COUNT_SLOTS_NOW; i++)
		stats->counters[i] = 0;
}

static void context_end(struct dune_stats *stats, uint32_t cause)
{
	stats->state = DUNE_STATE_ENDED;
	stats->cause = cause;
	event_add(stats, DUNE_EVENT_ENDED, cause, 0xffff800000001234);
	stats->pid = 0;
	use_nothing(stats);
}

static void use(struct dune_stats *stats, int counter, int limit, uint64_t wanted)
{
	uint64_t *used = (uint64_t *)&stats->counters[counter];

	/* A limit below what is used only keeps it from growing. */
	if (wanted > stats->limits[limit])
		wanted = stats->limits[limit];
	if (*used < wanted)
		*used = wanted;
}

static void use_all(struct dune_stats *stats)
{
	use(stats, DUNE_COUNT_VCPUS_NOW, DUNE_LIMIT_VCPUS, UINT64_MAX);
	use(stats, DUNE_COUNT_PRIVATE_NOW, DUNE_LIMIT_PRIVATE, UINT64_MAX);
	use(stats, DUNE_COUNT_EPT_NOW, DUNE_LIMIT_EPT, UINT64_MAX);
}

static void context_attach(struct dune_stats *stats, uint32_t state)
{
	stats->state = state;
	stats->pid = FAKE_PID;
	memcpy(stats->comm, "so\xff\x1brt", 7);
	use(stats, DUNE_COUNT_VCPUS_NOW, DUNE_LIMIT_VCPUS, 1);
	use(stats, DUNE_COUNT_PRIVATE_NOW, DUNE_LIMIT_PRIVATE, ATTACHED_PRIVATE);
	stats->counters[DUNE_COUNT_ENTRIES] = 100;
	stats->counters[DUNE_COUNT_EXITS] = 100;
	stats->counters[DUNE_COUNT_SYSCALLS] = ~0ull;
	stats->exits[18] = 60;
	stats->exits[48] = 39;
	stats->exits[35] = 1;
	event_add(stats, state == DUNE_STATE_RUNNING ? DUNE_EVENT_RUNNING : DUNE_EVENT_ATTACHED, 0,
		  0);
}

static void context_command(struct dune_stats *stats, char command)
{
	switch (command) {
	case 'a':
		context_attach(stats, DUNE_STATE_ATTACHED);
		break;
	case 'r':
		context_attach(stats, DUNE_STATE_RUNNING);
		break;
	case 'x':
		context_end(stats, DUNE_END_EXIT);
		break;
	case 'p':
		context_end(stats, DUNE_END_PANIC);
		break;
	case 'f':
		use_all(stats);
		break;
	case 'g':
		stats->counters[DUNE_COUNT_EPT_NOW] = 0;
		break;
	case 'l':
		event_add(stats, DUNE_EVENT_LIMIT, DUNE_LIMIT_PRIVATE,
			  stats->limits[DUNE_LIMIT_PRIVATE]);
		break;
	case 'L':
		event_add(&(struct dune_stats){ 0 }, DUNE_EVENT_LOST, 0, 1);
		break;
	}
}

static void sum_add(struct dune_totals *totals, const struct dune_stats *stats)
{
	for (int i = 0; i < DUNE_NR_COUNTERS; i++)
		totals->counters[i] += stats->counters[i];
	for (int i = 0; i < DUNE_NR_EXITS; i++)
		totals->exits[i] += stats->exits[i];
}

static void context_free(size_t row)
{
	struct dune_stats *stats = &fake.stats[row];

	event_add(stats, DUNE_EVENT_FREED, 0, 0);
	use_nothing(stats);
	sum_add(&fake.freed, stats);
	fake.freed.ended[stats->cause]++;
	close(fake.pipes[row]);
	fake.pipes[row] = -1;
	fake.nr_alive--;
}

static void context_settle(uint64_t id)
{
	size_t row = row_at_least(id);
	char command;
	ssize_t n;

	while ((n = read(fake.pipes[row], &command, 1)) == 1)
		context_command(&fake.stats[row], command);
	if (n == 0)
		context_free(row);
}

void fake_table_settle(void)
{
	struct epoll_event ready[READY];
	int count;

	do {
		count = epoll_wait(fake.poller, ready, READY, 0);
		for (int i = 0; i < count; i++) {
			if (ready[i].data.u64)
				context_settle(ready[i].data.u64);
		}
	} while (count == READY);
	if (fake.nr_rows > 2 * fake.nr_alive + READY)
		rows_compact();
}

/* ---- the calls ---- */

static int watch_pipe(int fd, uint64_t id)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = id };

	return epoll_ctl(fake.poller, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int fake_table_open(const char *path, int *ret_fd)
{
	fake.room = FAKE_CONTEXTS_LARGE;
	if (!strcmp(path, "fake") || !strcmp(path, "fake:none"))
		fake.room = FAKE_CONTEXTS;
	fake.max_contexts = fake.room;
	if (!strcmp(path, "fake:small")) {
		fake.room = 3;
		fake.max_contexts = 2048;
	}
	fake.max_vcpus = strcmp(path, "fake:none") ? 100 : 0;
	if (fake.signal < 0)
		fake.signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fake.signal < 0)
		return -errno;
	if (fake.poller < 0) {
		fake.poller = epoll_create1(EPOLL_CLOEXEC);
		if (fake.poller < 0 || watch_pipe(fake.signal, 0) < 0)
			return -errno;
	}
	*ret_fd = fake.poller;
	return 0;
}

void fake_table_info(struct dune_info *ret_info)
{
	fake_table_settle();
	*ret_info = (struct dune_info){
		.abi = DUNE_ABI_VERSION,
		.features = DUNE_FEATURE_EPT_2M | 1ull << 40,
		.bugs = DUNE_BUG_MDS | DUNE_BUG_L1TF | 1ull << 63,
		.measures = DUNE_MEASURE_VERW | DUNE_MEASURE_MD_CLEAR | DUNE_MEASURE_L1D_FLUSH,
		.gpa_bits = 39,
		.nr_slots = 510,
		.max_contexts = fake.max_contexts,
		.max_vcpus = fake.max_vcpus,
		.max_private = 65536,
		.max_ept = 262144,
		.contexts = fake.nr_alive,
		.created = fake.created,
		.version = "fake",
	};
}

static bool limits_refused(const uint64_t limits[DUNE_NR_LIMITS])
{
	return limits[DUNE_LIMIT_EPT] && limits[DUNE_LIMIT_EPT] < DUNE_EPT_PAGES_MIN;
}

int fake_table_create(const struct device_creation *creation, int *ret_fd, uint64_t *ret_id)
{
	struct dune_stats *stats;
	int ends[2], r;

	fake_table_settle();
	if (limits_refused(creation->limits))
		return -ERANGE;
	if (fake.nr_alive >= fake.room)
		return -EDQUOT;
	if (fake.nr_rows == FAKE_CONTEXTS_LARGE)
		rows_compact();
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	r = watch_pipe(ends[0], fake.created + 1);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	stats = &fake.stats[fake.nr_rows];
	*stats = (struct dune_stats){
		.id = ++fake.created,
		.owner = creation->owner,
		.labels = creation->labels,
		.created_ns = now_ns(),
	};
	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		stats->limits[i] = creation->limits[i];
	memcpy(stats->name, creation->name, sizeof(stats->name));
	event_add(stats, DUNE_EVENT_CREATED, 0, 0);
	fake.pipes[fake.nr_rows++] = ends[0];
	fake.nr_alive++;
	*ret_fd = ends[1];
	*ret_id = stats->id;
	return 0;
}

int fake_table_stats(uint64_t after_id, struct dune_stats *buffer, uint32_t capacity)
{
	uint32_t count = 0;

	fake_table_settle();
	for (size_t i = row_at_least(after_id + 1); i < fake.nr_rows && count < capacity; i++) {
		if (fake.pipes[i] >= 0)
			buffer[count++] = fake.stats[i];
	}
	return (int)count;
}

void fake_table_totals(struct dune_totals *ret_totals)
{
	fake_table_settle();
	*ret_totals = fake.freed;
	ret_totals->created = fake.created;
	for (size_t i = 0; i < fake.nr_rows; i++) {
		if (fake.pipes[i] < 0)
			continue;
		sum_add(ret_totals, &fake.stats[i]);
		if (fake.stats[i].cause != DUNE_END_NONE)
			ret_totals->ended[fake.stats[i].cause]++;
	}
}

int fake_table_set_limits(uint64_t id, const uint64_t limits[DUNE_NR_LIMITS])
{
	struct dune_stats *stats;

	fake_table_settle();
	stats = row_find(id);
	if (!stats)
		return -ENOENT;
	if (limits_refused(limits))
		return -ERANGE;
	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		stats->limits[i] = limits[i];
	return 0;
}

int fake_table_report(uint64_t id, struct dune_report *ret_report)
{
	const struct dune_stats *stats;

	fake_table_settle();
	stats = row_find(id);
	if (!stats)
		return -ENOENT;
	*ret_report = (struct dune_report){
		.cause = stats->cause,
		.exit_reason = 18,
		.vector = 14,
		.error_code = 2,
		.cr2 = 0xdeadbeef,
		.regs.rip = 0xffff800000001234,
	};
	return 0;
}

int fake_table_kill(uint64_t id)
{
	struct dune_stats *stats;

	fake_table_settle();
	stats = row_find(id);
	if (!stats)
		return -ENOENT;
	if (stats->pid <= 0)
		return -ESRCH;
	context_end(stats, DUNE_END_KILL);
	return 0;
}
