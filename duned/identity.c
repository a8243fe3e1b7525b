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

#define TEXT_MAX     1024 /* bytes of a file of /proc/PID that matter */
#define FLAG_EXITING 0x4 /* PF_EXITING, among the flags in /proc/PID/stat */

/* ---- pure ---- */

int identity_parse_stat(const char *stat, struct identity_stat *ret_stat)
{
	/* The name, in parentheses, may hold anything; the 7th and the 20th field after it count. */
	const char *p = strrchr(stat, ')');
	struct identity_stat read = { 0 };
	char *end;

	for (int field = 0; p && field < 20; field++) {
		if (field == 7)
			read.exiting = strtoul(p, NULL, 10) & FLAG_EXITING;
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p || *p < '0' || *p > '9')
		return -EBADMSG;
	read.start = strtoull(p, &end, 10);
	if (*end != ' ')
		return -EBADMSG;
	*ret_stat = read;
	return 0;
}

bool identity_has_uid(const char *status, uint32_t uid)
{
	/* A newline in the process's name is escaped by the kernel. */
	const char *line = strstr(status, "\nUid:");
	unsigned long uids[4];

	if (!line ||
	    sscanf(line, " Uid: %lu %lu %lu %lu", &uids[0], &uids[1], &uids[2], &uids[3]) != 4)
		return false;
	for (int i = 0; i < 4; i++) {
		if (uids[i] == uid)
			return true;
	}
	return false;
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

/* A file of the process's folder, or its beginning. */
static int read_text(int32_t pid, const char *name, char ret_text[TEXT_MAX])
{
	char path[48];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, ret_text, TEXT_MAX - 1);
	close(fd);
	if (size <= 0)
		return -ESRCH;
	ret_text[size] = '\0';
	return 0;
}

static int read_stat(int32_t pid, struct identity_stat *ret_stat)
{
	char text[TEXT_MAX];
	int r = read_text(pid, "stat", text);

	return r < 0 ? r : identity_parse_stat(text, ret_stat);
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

/* A pidfd is readable once its process has ended. A signal ends even a poll that does not wait. */
static bool has_ended(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&poller, 1, 0);
	while (r < 0 && errno == EINTR);
	return r != 0;
}

/*
 * Without a pidfd: whoever began after the connection was accepted is somebody else, and so is who has
 * nothing to do with the uid that connected: a connection may have waited for long. That was the
 * effective uid; a program that changes it keeps it as another of its own, unless it gives it up.
 */
static int check_unheld(const struct peer *peer, uint64_t start)
{
	char status[TEXT_MAX];
	struct identity_stat again;
	int r = start > peer->connected_ticks ? -ESRCH : read_text(peer->pid, "status", status);

	if (!r && !identity_has_uid(status, peer->uid))
		r = -ESRCH;
	if (!r)
		r = read_stat(peer->pid, &again);
	if (!r && (again.exiting || again.start != start))
		r = -ESRCH;
	return r;
}

/*
 * After the cgroup was read: in legacy hierarchies a process whose first thread ends, while others may go
 * on, is shown in the first cgroup of all.
 */
static int check_held(const struct peer *peer, int pidfd, const char *cgroup)
{
	struct identity_stat now;
	int r = strcmp(cgroup, "/") ? 0 : read_stat(peer->pid, &now);

	if (!r && !strcmp(cgroup, "/") && now.exiting)
		r = -ESRCH;
	return !r && has_ended(pidfd) ? -ESRCH : r;
}

/* Of a process that is held it is read once: another one can't get its place. */
static int read_start(const struct peer *peer, bool held, uint64_t *ret_start)
{
	struct identity_stat stat;
	int r;

	if (held && peer->start_ticks && *peer->start_ticks) {
		*ret_start = *peer->start_ticks;
		return 0;
	}
	r = read_stat(peer->pid, &stat);
	if (r < 0)
		return r;
	if (held && peer->start_ticks)
		*peer->start_ticks = stat.start;
	*ret_start = stat.start;
	return 0;
}

static int read_process(const struct peer *peer, int pidfd, struct dune_labels *labels)
{
	char *cgroup = NULL;
	uint64_t start;
	int r = read_start(peer, pidfd >= 0, &start);

	if (r < 0)
		return r;
	/* Without control groups (of systemd's layout) there is nothing to be charged to. */
	if (sd_pid_get_cgroup(peer->pid, &cgroup) >= 0)
		identity_cut_cgroup(cgroup, labels->cgroup);
	free(cgroup);
	labels->creator_pid = peer->pid;
	labels->creator_start = start;
	return pidfd >= 0 ? check_held(peer, pidfd, labels->cgroup) : check_unheld(peer, start);
}

static int read_labels(const struct peer *peer, struct dune_labels *labels)
{
	int pidfd = peer->pid > 0 ? peer_pidfd(peer) : -ESRCH, r;

	if (pidfd < 0 && pidfd != -ENOPROTOOPT)
		return pidfd;
	r = read_process(peer, pidfd, labels);
	if (pidfd >= 0)
		close(pidfd);
	return r;
}

int identity_process(const struct peer *peer, uint64_t *ret_start, int *ret_pidfd)
{
	int pidfd = peer->pid > 0 ? peer_pidfd(peer) : -ESRCH;
	struct identity_stat stat;
	int r;

	if (pidfd < 0 && pidfd != -ENOPROTOOPT)
		return pidfd;
	r = read_stat(peer->pid, &stat);
	if (!r && pidfd >= 0)
		r = has_ended(pidfd) ? -ESRCH : 0;
	else if (!r)
		r = check_unheld(peer, stat.start);
	if (r < 0) {
		if (pidfd >= 0)
			close(pidfd);
		return -ESRCH;
	}
	*ret_start = stat.start;
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
	int r = read_labels(peer, &labels);

	if (r < 0) {
		if (rules_need_process(rules))
			return -ESRCH;
		labels = (struct dune_labels){ 0 };
	}
	labels.gid = quota_group(rules, peer->gid, peer->groups, peer->nr_groups);
	*ret_labels = labels;
	return 0;
}
