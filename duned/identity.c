// SPDX-License-Identifier: LGPL-2.1-or-later
/* Identity of processes; see identity.h. */
#include "duned/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define STAT_MAX 1024 /* bytes of /proc/PID/stat that matter */

/* ---- pure ---- */

int identity_parse_start(const char *stat, uint64_t *ret_start)
{
	/* The name, in parentheses, may hold anything; the 20th field after it is what we want. */
	const char *p = strrchr(stat, ')');
	uint64_t start;
	char *end;

	for (int field = 0; p && field < 20; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p || *p < '0' || *p > '9')
		return -EBADMSG;
	start = strtoull(p, &end, 10);
	if (*end != ' ')
		return -EBADMSG;
	*ret_start = start;
	return 0;
}

void identity_cut_cgroup(const char *path, char ret_path[DUNE_CGROUP_MAX])
{
	size_t fits = 0;

	memset(ret_path, 0, DUNE_CGROUP_MAX);
	if (path[0] != '/')
		return;
	for (size_t i = 1; i < DUNE_CGROUP_MAX; i++) {
		if (!path[i] || path[i] == '/')
			fits = i;
		if (!path[i] || path[i] <= ' ' || path[i] > '~')
			break;
	}
	memcpy(ret_path, path, fits ? fits : 1);
}

/* ---- the process ---- */

static int read_start(int32_t pid, uint64_t *ret_start)
{
	char path[32], text[STAT_MAX];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return -ESRCH;
	text[size] = '\0';
	return identity_parse_start(text, ret_start);
}

/*
 * The process that connected, held so that its pid is not used again. -ESRCH: it is gone;
 * -ENOPROTOOPT: this kernel can't tell.
 */
static int peer_pidfd(const struct peer *peer)
{
	socklen_t size = sizeof(int);
	int fd = -1;

	if (peer->socket_fd <= 0)
		return -ENOPROTOOPT;
	if (getsockopt(peer->socket_fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) < 0)
		return errno == ENOPROTOOPT ? -ENOPROTOOPT : -ESRCH;
	return fd;
}

/* A pidfd is readable once its process has ended. */
static bool has_ended(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };

	return poll(&poller, 1, 0) != 0;
}

/* Of a process that is held it is read once: another one can't get its place. */
static int read_start_once(const struct peer *peer, bool held, uint64_t *ret_start)
{
	int r = 0;

	if (held && peer->start_ticks && *peer->start_ticks)
		*ret_start = *peer->start_ticks;
	else
		r = read_start(peer->pid, ret_start);
	if (!r && held && peer->start_ticks)
		*peer->start_ticks = *ret_start;
	return r;
}

static int read_process(const struct peer *peer, bool held, struct dune_labels *labels)
{
	uint64_t start, again;
	char *cgroup = NULL;
	int r = read_start_once(peer, held, &start);

	if (r < 0)
		return r;
	/* Without control groups (of systemd's layout) there is nothing to be charged to. */
	if (sd_pid_get_cgroup(peer->pid, &cgroup) >= 0)
		identity_cut_cgroup(cgroup, labels->cgroup);
	free(cgroup);
	labels->creator_pid = peer->pid;
	labels->creator_start = start;
	if (held)
		return 0;
	r = read_start(peer->pid, &again);
	return r < 0 ? r : start == again ? 0 : -ESRCH;
}

/*
 * With a pidfd the pid can't be used again until we are done. Without one, whoever began after the
 * connection was accepted is somebody else.
 */
static int read_held(const struct peer *peer, struct dune_labels *labels)
{
	int pidfd = peer_pidfd(peer), r;

	if (pidfd < 0 && pidfd != -ENOPROTOOPT)
		return pidfd;
	r = read_process(peer, pidfd >= 0, labels);
	if (pidfd < 0)
		return !r && labels->creator_start > peer->connected_ticks ? -ESRCH : r;
	if (!r && has_ended(pidfd))
		r = -ESRCH;
	close(pidfd);
	return r;
}

int identity_process(const struct peer *peer, uint64_t *ret_start, int *ret_pidfd)
{
	int pidfd = peer->pid > 0 ? peer_pidfd(peer) : -ESRCH;
	uint64_t start;
	int r;

	if (pidfd < 0 && pidfd != -ENOPROTOOPT)
		return pidfd;
	r = read_start(peer->pid, &start);
	if (!r && (pidfd >= 0 ? has_ended(pidfd) : start > peer->connected_ticks))
		r = -ESRCH;
	if (r < 0) {
		if (pidfd >= 0)
			close(pidfd);
		return -ESRCH;
	}
	*ret_start = start;
	*ret_pidfd = pidfd >= 0 ? pidfd : -1;
	return 0;
}

static bool rules_need_process(const struct quota_rules *rules)
{
	if (quota_rule_speaks(&rules->base[QUOTA_BASE_PROCESS]))
		return true;
	for (size_t i = 0; i < rules->nr_named; i++) {
		if (rules->named[i].key.scope == QUOTA_CGROUP &&
		    quota_rule_speaks(&rules->named[i]))
			return true;
	}
	return false;
}

int identity_labels(const struct peer *peer, const struct quota_rules *rules,
		    struct dune_labels *ret_labels)
{
	struct dune_labels labels = { 0 };
	int r = peer->pid > 0 ? read_held(peer, &labels) : -ESRCH;

	if (r < 0) {
		if (rules_need_process(rules))
			return -ESRCH;
		labels = (struct dune_labels){ 0 };
	}
	labels.gid = quota_group(rules, peer->gid, peer->groups, peer->nr_groups);
	*ret_labels = labels;
	return 0;
}
