/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the configuration at the start; manager_reload() reads it again. Both take all of it or
 * nothing, but that quotas set at run time, if their file is damaged, don't keep the service from
 * starting: the file is left as it is, and what is wrong with it is said.
 */
#ifndef DUNED_RELOAD_H
#define DUNED_RELOAD_H

#include "duned/config.h"
#include "duned/manager.h"

/* 0, or -errno with *ret_error filled. */
int reload_start(const struct manager_source *source, struct config *ret_config,
		 struct config_error *ret_error);

/* One line in the log. */
void reload_log_error(const struct config_error *error, const char *consequence);

#endif
