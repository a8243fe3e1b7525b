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
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define STAT_MAX    1024 /* bytes of /proc/PID/stat that matter */
#define CGROUPS_MAX (128 * 1024) /* of /proc/PID/cgroup: a line of a page for each hierarchy */

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

/* The path in the line of this hierarchy, "ID:CONTROLLERS:PATH"; cuts the text there. */
static const char *cgroup_line(char *text, const char *hierarchy)
{
	for (char *line = text, *next; line; line = next) {
		char *colon = strchr(line, ':'), *end = strchr(line, '\n'), *gone;

		next = end ? end + 1 : NULL;
		if (!colon || !end || strncmp(colon, hierarchy, strlen(hierarchy)) != 0)
			continue;
		*end = '\0';
		/* Of a cgroup that was removed, the kernel says so. */
		gone = end - line > 10 ? end - 10 : line;
		if (!strcmp(gone, " (deleted)"))
			*gone = '\0';
		return colon + strlen(hierarchy);
	}
	return NULL;
}

int identity_parse_cgroup(char *text, char ret_path[DUNE_CGROUP_MAX])
{
	/* Where systemd has a hierarchy of its own, the unified one says nothing. */
	const char *path = cgroup_line(text, ":name=systemd:");

	if (!path)
		path = cgroup_line(text, "::");
	if (!path || path[0] != '/')
		return -ENODATA;
	identity_cut_cgroup(path, ret_path);
	return 0;
}

/* ---- the process ---- */

/* Reads /proc/PID/NAME as a text, as far as it fits. */
static int read_proc(int32_t pid, const char *name, char *text, size_t capacity)
{
	char path[32];
	size_t size = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + size, capacity - 1 - size)) > 0)
		size += (size_t)n;
	close(fd);
	if (n < 0 || !size)
		return -ESRCH;
	text[size] = '\0';
	return 0;
}

static int read_start(int32_t pid, uint64_t *ret_start)
{
	char text[STAT_MAX];
	int r = read_proc(pid, "stat", text, sizeof(text));

	return r < 0 ? r : identity_parse_start(text, ret_start);
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

static int read_process(const struct peer *peer, bool held, struct dune_labels *labels)
{
	static char text[CGROUPS_MAX];
	uint64_t start, again;
	int r = read_start(peer->pid, &start);

	if (r < 0)
		return r;
	/* Without control groups (of systemd's layout) there is nothing to be charged to. */
	if (read_proc(peer->pid, "cgroup", text, sizeof(text)) == 0)
		identity_parse_cgroup(text, labels->cgroup);
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
