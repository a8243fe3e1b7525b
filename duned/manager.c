// SPDX-License-Identifier: LGPL-2.1-or-later
/* The service's state; see manager.h. */
#include "duned/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/context.h"
#include "duned/log.h"
#include "duned/peer.h"
#include "proto/names.h"

#define EVENT_BATCH 32 /* events read in one turn of the loop */
#define EVENT_DRAIN 64 /* batches read to be up to date: more than the module keeps */

/* Whom a message about a context counts: its owner, who can have as many as it creates contexts. */
static int64_t cause_of(const struct manager *manager, const struct dune_event *event)
{
	const struct peer owner = { .uid = event->owner, .gid = UINT32_MAX, .identified = true };

	return !event->owner || access_names(&manager->config.administrators, &owner) ?
		       LOG_TRUSTED :
		       (int64_t)event->owner;
}

static void log_ended(const struct manager *manager, const struct dune_event *event)
{
	bool fault = context_is_fault(event->value);
	char buffer[DUNE_NAME_BUFFER], rip[24];
	const char *cause =
		dune_name_or_number(dune_cause_name(event->value), "cause", event->value, buffer);

	snprintf(rip, sizeof(rip), "0x%" PRIx64, (uint64_t)event->detail);
	log_caused_message(cause_of(manager, event), fault ? LOG_WARNING : LOG_INFO,
			   fault ? MESSAGE_CONTEXT_FAULTED : MESSAGE_CONTEXT_ENDED,
			   LOG_FIELDS(LOG_NUMBER("DUNE_CONTEXT", event->id),
				      LOG_TEXT("DUNE_NAME", event->name),
				      LOG_NUMBER("DUNE_OWNER", event->owner),
				      LOG_NUMBER("DUNE_PID", event->pid),
				      LOG_TEXT("DUNE_CAUSE", cause), LOG_TEXT("DUNE_RIP", rip)),
			   "context %" PRIu64 " (%s) of uid %u ended: %s, pid %d, rip %s",
			   (uint64_t)event->id, event->name, event->owner, cause, event->pid, rip);
}

static void log_limit(const struct manager *manager, const struct dune_event *event)
{
	char buffer[DUNE_NAME_BUFFER];
	const char *limit =
		dune_name_or_number(dune_limit_name(event->value), "limit", event->value, buffer);

	log_caused_message(
		cause_of(manager, event), LOG_INFO, MESSAGE_CONTEXT_LIMIT,
		LOG_FIELDS(LOG_NUMBER("DUNE_CONTEXT", event->id),
			   LOG_TEXT("DUNE_NAME", event->name),
			   LOG_NUMBER("DUNE_OWNER", event->owner), LOG_TEXT("DUNE_LIMIT", limit),
			   LOG_NUMBER("DUNE_MAXIMUM", event->detail)),
		"context %" PRIu64 " (%s) of uid %u met its limit of %" PRIu64 " %s",
		(uint64_t)event->id, event->name, event->owner, (uint64_t)event->detail, limit);
}

static void log_event(const struct manager *manager, const struct dune_event *event)
{
	char type[DUNE_NAME_BUFFER];

	switch (event->type) {
	case DUNE_EVENT_ENDED:
		log_ended(manager, event);
		break;
	case DUNE_EVENT_LIMIT:
		log_limit(manager, event);
		break;
	case DUNE_EVENT_LOST:
		log_message(LOG_WARNING, MESSAGE_EVENTS_LOST,
			    LOG_FIELDS(LOG_NUMBER("DUNE_COUNT", event->detail)),
			    "%" PRIu64 " events of the module were lost", (uint64_t)event->detail);
		break;
	default:
		dune_name_or_number(dune_event_name(event->type), "event", event->type, type);
		log_debug("context %" PRIu64 " (%s) of uid %u: %s", (uint64_t)event->id,
			  event->name, event->owner, type);
	}
}

static void close_device(struct manager *manager)
{
	if (manager->loop)
		ev_io_stop(manager->loop, &manager->device_watcher);
	device_done(&manager->device);
}

/* Reads one batch and passes it on; how many there were. */
static int read_events(struct manager *manager)
{
	struct dune_event events[EVENT_BATCH];
	int count = device_events(&manager->device, events, EVENT_BATCH);

	if (count < 0) {
		log_message(LOG_ERR, MESSAGE_DEVICE_FAILED,
			    LOG_FIELDS(LOG_TEXT("DUNE_METHOD", "events"),
				       LOG_TEXT("DUNE_ERROR", dune_errno_name(count))),
			    "reading the module's events failed: %s", strerror(-count));
		/* Opened again by the next call. Staying would make the loop spin. */
		close_device(manager);
		events_fail(&manager->events, count);
		return 0;
	}
	for (int i = 0; i < count; i++) {
		ledger_event(&manager->ledger, &manager->device, &events[i]);
		log_event(manager, &events[i]);
		events_publish(&manager->events, &events[i]);
	}
	return count;
}

static void on_device_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
	read_events(watcher->data);
}

void manager_drain(struct manager *manager)
{
	for (int i = 0; i < EVENT_DRAIN && manager->device.fd >= 0; i++) {
		if (read_events(manager) < EVENT_BATCH)
			break;
	}
}

int manager_settle(struct manager *manager)
{
	manager_drain(manager);
	if (manager->device.fd < 0)
		return -EIO;
	return ledger_refresh(&manager->ledger, &manager->device);
}

/* In the first user namespace, or one that maps everything, no uid stands for several users. */
static bool read_identity_complete(void)
{
	unsigned long inside, outside, count;
	FILE *file = fopen("/proc/self/uid_map", "re");
	bool complete = false;

	if (!file)
		return false;
	if (fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
		complete = inside == 0 && count >= UINT32_MAX;
	fclose(file);
	return complete;
}

/* What the worker needs for its jobs. */
static int init_worker(struct manager *manager)
{
	manager->settings = calloc(1, sizeof(*manager->settings));
	if (!manager->settings)
		return -ENOMEM;
	if (quota_rules_copy(&manager->config.configured, &manager->settings->configured) < 0)
		return -ENOMEM;
	manager->worker = worker_new(manager->loop);
	return manager->worker ? 0 : -ENOMEM;
}

int manager_init(struct manager *manager, struct ev_loop *loop, const struct config *config,
		 const char *device_path)
{
	*manager = (struct manager){ .loop = loop, .config = *config, .generation = 1 };
	device_init(&manager->device, device_path);
	events_init(&manager->events);
	polkit_init(&manager->polkit, loop);
	ev_init(&manager->device_watcher, on_device_readable);
	manager->device_watcher.data = manager;
	ev_init(&manager->subids_timer, NULL);
	manager->identity_complete = read_identity_complete();
	if (ledger_init(&manager->ledger) < 0 || rates_init(&manager->rates) < 0 ||
	    init_worker(manager) < 0) {
		manager_done(manager);
		return -ENOMEM;
	}
	manager->ledger.subids = manager->polkit.subids = &manager->subids;
	return 0;
}

void manager_done(struct manager *manager)
{
	/* Nobody would do a job that comes now. */
	manager->reload_again = false;
	if (worker_free(manager->worker) && manager->settings) {
		quota_rules_done(&manager->settings->configured);
		free(manager->settings);
	}
	/* After the last job, which may have started it. */
	if (manager->loop)
		ev_timer_stop(manager->loop, &manager->subids_timer);
	close_device(manager);
	polkit_disconnect(&manager->polkit);
	ledger_done(&manager->ledger);
	rates_done(&manager->rates);
	subids_done(&manager->subids);
	config_done(&manager->config);
}

int manager_device(struct manager *manager)
{
	bool was_open = manager->device.fd >= 0;
	int r = device_ready(&manager->device);

	if (r < 0 || was_open)
		return r;
	/* What happened before it was open brings no event. */
	manager->ledger.stale = true;
	log_message(LOG_INFO, MESSAGE_DEVICE_READY, NULL, "using %s", manager->device.path);
	if (manager->loop) {
		ev_io_set(&manager->device_watcher, manager->device.fd, EV_READ);
		ev_io_start(manager->loop, &manager->device_watcher);
	}
	return 0;
}

static void cut(int64_t *value, uint64_t ceiling)
{
	if (ceiling < (uint64_t)*value)
		*value = (int64_t)ceiling;
}

void manager_new_generation(struct manager *manager)
{
	if (!++manager->generation)
		manager->generation = 1;
}

static int read_groups(const struct config *config, struct peer *peer)
{
	uint32_t wanted[QUOTA_MAX_RULES + 2 * ACCESS_MAX_ENTRIES];
	size_t count = quota_rules_groups(&config->quotas, wanted);

	count += access_groups(&config->administrators, wanted + count);
	count += access_groups(&config->observers, wanted + count);
	return peer_read_groups(peer, wanted, count);
}

int manager_judge(const struct manager *manager, struct peer *peer)
{
	int r;

	if (peer->generation == manager->generation)
		return 0;
	peer->administrator = peer->observer = false;
	r = read_groups(&manager->config, peer);
	if (r < 0)
		return r;
	peer->administrator = access_names(&manager->config.administrators, peer);
	peer->observer = access_names(&manager->config.observers, peer);
	peer->generation = manager->generation;
	return 0;
}

/* The most that a rule without a name allows; what it does not speak of is not limited. */
static int64_t base_maximum(const struct config *config, enum quota_base base)
{
	int64_t maximum = config->quotas.base[base].values[QUOTA_CONTEXTS].maximum;

	return maximum == QUOTA_UNSET ? QUOTA_UNLIMITED : maximum;
}

void manager_limits(const struct manager *manager, const struct dune_info *info,
		    struct manager_limits *ret_limits)
{
	const struct config *config = &manager->config;
	struct manager_limits limits = {
		.defaults = config->defaults,
		.maximum = config->maximum,
		.contexts_per_user = base_maximum(config, QUOTA_BASE_USER),
		.contexts_per_host = base_maximum(config, QUOTA_BASE_HOST),
	};

	if (info) {
		cut(&limits.contexts_per_host, info->max_contexts);
		cut(&limits.maximum.vcpus, info->max_vcpus);
		cut(&limits.maximum.private_pages, info->max_private);
		cut(&limits.maximum.ept_pages, info->max_ept);
	}
	cut(&limits.contexts_per_user, (uint64_t)limits.contexts_per_host);
	cut(&limits.defaults.vcpus, (uint64_t)limits.maximum.vcpus);
	cut(&limits.defaults.private_pages, (uint64_t)limits.maximum.private_pages);
	cut(&limits.defaults.ept_pages, (uint64_t)limits.maximum.ept_pages);
	*ret_limits = limits;
}
