/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one state struct of the service: configuration, device, ledger, loop. Owns the watcher of the
 * module's events; must never remember anything about a context but what the ledger does.
 */
#ifndef DUNED_MANAGER_H
#define DUNED_MANAGER_H

#include <ev.h>
#include <stdbool.h>

#include "duned/config.h"
#include "duned/device.h"
#include "duned/events.h"
#include "duned/ledger.h"
#include "duned/polkit.h"
#include "duned/rate.h"
#include "duned/subids.h"
#include "duned/worker.h"

/* Where the configuration comes from, to be read again; all NULL when there is none. */
struct manager_source {
	const char *config;
	bool config_optional; /* it may be missing */
	const char *quotas; /* file of the quotas set at run time */
	const char *subids; /* subuid(5)'s file */
};

/* The jobs' own view of the configuration: nobody but the worker looks at it. */
struct settings {
	struct manager_source source;
	struct quota_rules configured; /* as the newest job that read the files left them */
	struct subids_seen subids;
};

struct manager {
	struct ev_loop *loop;
	struct config config;
	unsigned int generation; /* of the configuration: peers are judged anew; never 0 */
	struct device device;
	ev_io device_watcher;
	struct events events; /* who is told of the module's events */
	struct snapshot *snapshot; /* the newest of listing.c, while one uses it */
	struct worker *worker; /* for what may block */
	struct settings *settings;
	bool reloading; /* for a signal; then another one came */
	bool reload_again;
	struct subids subids; /* whom a uid counts for */
	ev_timer subids_timer; /* looks whether the file is another */
	int subids_error; /* why it can't be read; 0: it can */
	struct ledger ledger; /* what was promised; current after manager_settle() only */
	struct rates rates; /* of creations */
	struct polkit polkit; /* asked where [access] polkit says so */
	bool identity_complete; /* every uid of the system has its own number here */
};

/*
 * The loop may be NULL when nothing is to be watched. Takes the configuration. Before the first
 * job, the settings' source may be set. -ENOMEM.
 */
int manager_init(struct manager *manager, struct ev_loop *loop, const struct config *config,
		 const char *device_path);
void manager_done(struct manager *manager);

/* Makes the device ready and watches its events; errors as device_ready(). */
int manager_device(struct manager *manager);

/*
 * Reads and publishes the events that the module has by now, as many as it can hold at once. A
 * device that fails is closed.
 */
void manager_drain(struct manager *manager);

/*
 * Before a decision: drains, and fills the ledger when it is stale, so that it is exactly what
 * the module holds. 0 or -errno of the device.
 */
int manager_settle(struct manager *manager);

/*
 * Writes to the peer what the configuration in force says that it is, with those of its groups that it
 * speaks of, unless that is known. 0; -ENOMEM or -errno of its socket: then it is nothing.
 */
int manager_judge(const struct manager *manager, struct peer *peer);

/* Called when the configuration, or the quotas in force, are others. */
void manager_new_generation(struct manager *manager);

/* Limits of contexts: the configuration, cut to the module's ceilings when info is not NULL. */
struct manager_limits {
	struct config_limits defaults;
	struct config_limits maximum;
	int64_t contexts_per_user; /* of a user without a rule of its own */
	int64_t contexts_per_host;
};
void manager_limits(const struct manager *manager, const struct dune_info *info,
		    struct manager_limits *ret_limits);

#endif
