/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the configuration at the start, and again, in the worker, for a signal or the method
 * Reload. All of it is taken or nothing, but that quotas set at run time, if their file is
 * damaged, don't keep the service from starting: the file is left as it is, and what is wrong
 * with it is said. Running contexts and open connections are not touched.
 */
#ifndef DUNED_RELOAD_H
#define DUNED_RELOAD_H

#include "duned/config.h"
#include "duned/manager.h"

/* 0, or -errno with *ret_error filled. */
int reload_start(const struct manager_source *source, struct config *ret_config,
		 struct config_error *ret_error);

/*
 * Reads, at once, which uids are subordinate to whom (subids.h); from then on the worker looks whether the
 * file is another when the configuration is read again, and every few seconds as long as that takes no time. A
 * table that can't be read leaves the one in force.
 */
void reload_subids_start(struct manager *manager);

/* Reads it again for SIGHUP, and tells systemd; what is wrong goes to the log. */
void reload_on_signal(struct manager *manager);

/* One line in the log. */
void reload_log_error(const struct config_error *error, const char *consequence);

#endif
