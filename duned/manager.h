/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one state struct of the service: configuration, device, loop. Owns the watcher of the
 * module's events; must never remember anything about a context.
 */
#ifndef DUNED_MANAGER_H
#define DUNED_MANAGER_H

#include <ev.h>
#include <stdbool.h>

#include "duned/config.h"
#include "duned/device.h"
#include "duned/events.h"

struct manager {
	struct ev_loop *loop;
	struct config config;
	struct device device;
	ev_io device_watcher;
	struct events events;	/* who is told of the module's events */
	bool identity_complete;	/* every uid of the system has its own number here */
};

/* The loop may be NULL when nothing is to be watched. */
void manager_init(struct manager *manager, struct ev_loop *loop, const struct config *config,
		  const char *device_path);
void manager_done(struct manager *manager);

/* Makes the device ready and watches its events; errors as device_ready(). */
int manager_device(struct manager *manager);

/*
 * Reads and publishes the events that the module has by now, as many as it can hold at once. A device
 * that fails is closed.
 */
void manager_drain(struct manager *manager);

/* The quotas in force: the configuration, cut to the module's ceilings when info is not NULL. */
void manager_quotas(const struct manager *manager, const struct dune_info *info,
		    struct config *ret_quotas);

#endif
