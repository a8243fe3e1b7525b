/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which process asks, beyond its credentials: when it began, its cgroup, the group that it is
 * charged to. Read when a context is created; must never describe another process that got the
 * same pid.
 */
#ifndef DUNED_IDENTITY_H
#define DUNED_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "duned/policy.h"
#include "duned/quota.h"
#include "proto/dune_abi.h"

/*
 * The labels of a context that the peer creates. A process that is gone, or can't be looked at, or
 * whose first thread has ended so that its cgroup can't be told, leaves creator and cgroup empty:
 * -ESRCH then if a rule in force is about processes or cgroups, else 0.
 */
int identity_labels(const struct peer *peer, const struct quota_rules *rules,
		    struct dune_labels *ret_labels);

/*
 * The process that connected, for somebody else to look at: when it began, in clock ticks, and a pidfd
 * of it, to be closed, or -1 where the kernel has none to give. -ESRCH: it is gone.
 */
int identity_process(const struct peer *peer, uint64_t *ret_start, int *ret_pidfd);

/* What is read of a process's stat file. */
struct identity_stat {
	uint64_t start; /* when it began, in clock ticks */
	bool exiting; /* its first thread ends, or has ended */
};

/* Pure: from the text of the file. -EBADMSG. */
int identity_parse_stat(const char *stat, struct identity_stat *ret_stat);

/* Pure: is one of the process's uids (real, effective, saved, file system's) this, by its status file? */
bool identity_has_uid(const char *status, uint32_t uid);

/*
 * Pure: a cgroup's path as labels hold it: cut after the last component that fits and that has
 * nothing but printable characters in it.
 */
void identity_cut_cgroup(const char *path, char ret_path[DUNE_CGROUP_MAX]);

#endif
