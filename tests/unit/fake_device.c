// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned/device.h without a module, for tests of the service: contexts are rows of a table, their
 * descriptor is the write end of a pipe. What a test writes into it moves the context on: 'a' attached,
 * 'r' running, 'x' process gone, 'p' ended by a panic with a report, 'l' meets its limit of private
 * pages, 'L' loses an event of another context. When nobody holds the write end any more the context is
 * freed, as the module does; so a copy forgotten by the service shows.
 *
 * Device paths: "fake"; "fake:absent" can't be opened; "fake:abi" speaks version 9; "fake:small" has a
 * ceiling of 3 contexts that the service's configuration does not know; "fake:none" allows no vcpu.
 */
#include "duned/device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define FAKE_CONTEXTS 1024
#define FAKE_EVENTS   4096
#define FAKE_PID      4242

static struct {
	struct dune_stats stats[FAKE_CONTEXTS];
	int pipes[FAKE_CONTEXTS];
	size_t count;
	uint64_t created;
	struct dune_event events[FAKE_EVENTS];
	size_t nr_events;
	uint64_t nr_lost;
	struct dune_totals freed;
	int pending; /* an eventfd: there are events */
} fake;

void device_init(struct device *device, const char *path)
{
	*device = (struct device){ .path = path, .fd = -1 };
}

void device_done(struct device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
}

/* What tests write shall wake the service, as the module's events do. */
static void fake_watch(struct device *device, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(device->fd, EPOLL_CTL_ADD, fd, &event) < 0)
		perror("epoll_ctl");
}

int device_ready(struct device *device)
{
	if (!strcmp(device->path, "fake:absent"))
		return -ENOENT;
	if (!strcmp(device->path, "fake:abi")) {
		device->abi = 9;
		return -EPROTONOSUPPORT;
	}
	if (device->fd < 0)
		device->fd = epoll_create1(EPOLL_CLOEXEC);
	if (device->fd < 0)
		return -errno;
	if (!fake.pending) {
		fake.pending = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fake_watch(device, fake.pending);
	}
	return 0;
}

static void fake_event(const struct dune_stats *stats, uint32_t type, uint32_t value,
		       uint64_t detail)
{
	struct dune_event *event = &fake.events[fake.nr_events];
	uint64_t one = 1;
	struct timespec now;

	if (fake.nr_events == FAKE_EVENTS) {
		fake.nr_lost++;
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	*event = (struct dune_event){
		.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
		.id = stats->id,
		.type = type,
		.owner = stats->owner,
		.pid = stats->pid,
		.value = value,
		.detail = detail,
	};
	memcpy(event->name, stats->name, sizeof(event->name));
	fake.nr_events++;
	if (write(fake.pending, &one, sizeof(one)) < 0)
		perror("eventfd");
}

static void fake_end(struct dune_stats *stats, uint32_t cause)
{
	stats->state = DUNE_STATE_ENDED;
	stats->cause = cause;
	fake_event(stats, DUNE_EVENT_ENDED, cause, 0xffff800000001234);
	stats->pid = 0;
	stats->counters[DUNE_COUNT_VCPUS_NOW] = 0;
}

static void fake_attach(struct dune_stats *stats, uint32_t state)
{
	stats->state = state;
	stats->pid = FAKE_PID;
	memcpy(stats->comm, "so\xff\x1brt", 7);
	stats->counters[DUNE_COUNT_VCPUS_NOW] = 1;
	stats->counters[DUNE_COUNT_PRIVATE_NOW] = 17;
	stats->counters[DUNE_COUNT_ENTRIES] = 100;
	stats->counters[DUNE_COUNT_EXITS] = 100;
	stats->counters[DUNE_COUNT_SYSCALLS] = ~0ull;
	stats->exits[18] = 60;
	stats->exits[48] = 39;
	stats->exits[35] = 1;
	fake_event(stats, state == DUNE_STATE_RUNNING ? DUNE_EVENT_RUNNING : DUNE_EVENT_ATTACHED, 0,
		   0);
}

static void fake_command(struct dune_stats *stats, char command)
{
	switch (command) {
	case 'a':
		fake_attach(stats, DUNE_STATE_ATTACHED);
		break;
	case 'r':
		fake_attach(stats, DUNE_STATE_RUNNING);
		break;
	case 'x':
		fake_end(stats, DUNE_END_EXIT);
		break;
	case 'p':
		fake_end(stats, DUNE_END_PANIC);
		break;
	case 'l':
		fake_event(stats, DUNE_EVENT_LIMIT, DUNE_LIMIT_PRIVATE,
			   stats->limits[DUNE_LIMIT_PRIVATE]);
		break;
	case 'L':
		fake_event(&(struct dune_stats){ 0 }, DUNE_EVENT_LOST, 0, 1);
		break;
	}
}

static void fake_sum(struct dune_totals *totals, const struct dune_stats *stats)
{
	for (int i = 0; i < DUNE_NR_COUNTERS; i++)
		totals->counters[i] += stats->counters[i];
	for (int i = 0; i < DUNE_NR_EXITS; i++)
		totals->exits[i] += stats->exits[i];
}

static void fake_free(size_t index)
{
	struct dune_stats *stats = &fake.stats[index];

	fake_event(stats, DUNE_EVENT_FREED, 0, 0);
	for (int i = DUNE_COUNT_VCPUS_NOW; i <= DUNE_COUNT_SLOTS_NOW; i++)
		stats->counters[i] = 0;
	fake_sum(&fake.freed, stats);
	fake.freed.ended[stats->cause]++;
	close(fake.pipes[index]);
	fake.count--;
	memmove(&fake.stats[index], &fake.stats[index + 1],
		(fake.count - index) * sizeof(fake.stats[0]));
	memmove(&fake.pipes[index], &fake.pipes[index + 1],
		(fake.count - index) * sizeof(fake.pipes[0]));
}

/* Lets happen what the tests wrote, and frees what nobody holds. */
static void fake_settle(void)
{
	size_t i = 0;

	while (i < fake.count) {
		char command;
		ssize_t n;

		while ((n = read(fake.pipes[i], &command, 1)) == 1)
			fake_command(&fake.stats[i], command);
		if (n == 0)
			fake_free(i);
		else
			i++;
	}
}

int device_info(struct device *device, struct dune_info *ret_info)
{
	fake_settle();
	*ret_info = (struct dune_info){
		.abi = DUNE_ABI_VERSION,
		.features = DUNE_FEATURE_EPT_2M | 1ull << 40,
		.bugs = DUNE_BUG_MDS | DUNE_BUG_L1TF | 1ull << 63,
		.measures = DUNE_MEASURE_VERW | DUNE_MEASURE_MD_CLEAR | DUNE_MEASURE_L1D_FLUSH,
		.gpa_bits = 39,
		.nr_slots = 510,
		.max_contexts = strcmp(device->path, "fake:small") ? FAKE_CONTEXTS : 2048,
		.max_vcpus = strcmp(device->path, "fake:none") ? 100 : 0,
		.max_private = 65536,
		.max_ept = 262144,
		.contexts = fake.count,
		.created = fake.created,
		.version = "fake",
	};
	return 0;
}

int device_create(struct device *device, const struct device_creation *creation, int *ret_fd,
		  uint64_t *ret_id)
{
	size_t ceiling = strcmp(device->path, "fake:small") ? FAKE_CONTEXTS : 3;
	struct dune_stats *stats;
	struct timespec now;
	int ends[2];

	fake_settle();
	if (fake.count >= ceiling)
		return -EDQUOT;
	stats = &fake.stats[fake.count];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*stats = (struct dune_stats){
		.id = ++fake.created,
		.owner = creation->owner,
		.labels = creation->labels,
		.created_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
	};
	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		stats->limits[i] = creation->limits[i];
	memcpy(stats->name, creation->name, sizeof(stats->name));
	fake_event(stats, DUNE_EVENT_CREATED, 0, 0);
	fake.pipes[fake.count++] = ends[0];
	fake_watch(device, ends[0]);
	*ret_fd = ends[1];
	*ret_id = stats->id;
	return 0;
}

int device_stats(struct device *device, uint64_t after_id, struct dune_stats *buffer,
		 uint32_t capacity)
{
	uint32_t count = 0;

	fake_settle();
	for (size_t i = 0; i < fake.count && count < capacity; i++) {
		if (fake.stats[i].id > after_id)
			buffer[count++] = fake.stats[i];
	}
	return (int)count;
}

int device_totals(struct device *device, struct dune_totals *ret_totals)
{
	fake_settle();
	*ret_totals = fake.freed;
	ret_totals->created = fake.created;
	for (size_t i = 0; i < fake.count; i++) {
		fake_sum(ret_totals, &fake.stats[i]);
		if (fake.stats[i].cause != DUNE_END_NONE)
			ret_totals->ended[fake.stats[i].cause]++;
	}
	return 0;
}

static struct dune_stats *fake_find(uint64_t id)
{
	for (size_t i = 0; i < fake.count; i++) {
		if (fake.stats[i].id == id)
			return &fake.stats[i];
	}
	return NULL;
}

int device_set_limits(struct device *device, uint64_t id, const uint64_t limits[DUNE_NR_LIMITS])
{
	struct dune_stats *stats = fake_find(id);

	if (!stats)
		return -ENOENT;
	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		stats->limits[i] = limits[i];
	return 0;
}

int device_report(struct device *device, uint64_t id, struct dune_report *ret_report)
{
	const struct dune_stats *stats = fake_find(id);

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

int device_kill(struct device *device, uint64_t id)
{
	struct dune_stats *stats;

	fake_settle();
	stats = fake_find(id);
	if (!stats)
		return -ENOENT;
	if (stats->pid <= 0)
		return -ESRCH;
	fake_end(stats, DUNE_END_KILL);
	return 0;
}

int device_events(struct device *device, struct dune_event *buffer, size_t capacity)
{
	uint64_t number;
	size_t count;

	fake_settle();
	count = fake.nr_events < capacity ? fake.nr_events : capacity;
	if (count < capacity && read(fake.pending, &number, sizeof(number)) < 0 && errno != EAGAIN)
		return -errno;
	memcpy(buffer, fake.events, count * sizeof(*buffer));
	fake.nr_events -= count;
	/* What did not fit came after these. */
	if (!fake.nr_events && fake.nr_lost && count < capacity) {
		buffer[count++] =
			(struct dune_event){ .type = DUNE_EVENT_LOST, .detail = fake.nr_lost };
		fake.nr_lost = 0;
		return (int)count;
	}
	memmove(fake.events, fake.events + count, fake.nr_events * sizeof(*buffer));
	return (int)count;
}
