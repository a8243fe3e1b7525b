// SPDX-License-Identifier: LGPL-2.1-or-later
/* Finding or making the listening socket; see listen.h. */
#include "duned/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "duned/log.h"
#include "duned/server.h"
#include "proto/methods.h"

static const char *const fd_names[NR_POLICY_SOCKETS] = {
	[POLICY_PUBLIC] = DUNE_SOCKET_FD_NAME,
	[POLICY_ADMIN] = DUNE_ADMIN_SOCKET_FD_NAME,
};
static const mode_t modes[NR_POLICY_SOCKETS] = {
	[POLICY_PUBLIC] = 0666,
	[POLICY_ADMIN] = 0600,
};

/* The first of this name, -1 when there is none. */
static int take_named(char *const *names, int count, const char *name)
{
	int found = -1;

	for (int i = 0; i < count; i++) {
		if (found < 0 && !strcmp(names[i], name))
			found = SD_LISTEN_FDS_START + i;
	}
	return found;
}

/* Makes an inherited socket ours; -EBADF when it is none. */
static int check_inherited(int fd)
{
	int flags;

	if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
		return -EBADF;
	flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* 1 with systemd's sockets, 0 when it passed nothing, -errno. */
static int listen_inherited(struct listen *listen)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names), r = 0;

	if (count <= 0)
		return count;
	for (int i = 0; i < NR_POLICY_SOCKETS; i++) {
		listen->fds[i] = take_named(names, count, fd_names[i]);
		if (listen->fds[i] < 0 && i != POLICY_PUBLIC)
			continue;
		r = check_inherited(listen->fds[i]);
		if (!r)
			continue;
		log_error("among %d passed descriptors is no listening stream socket named %s",
			  count, fd_names[i]);
		break;
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return r < 0 ? r : 1;
}

/* Removes a socket that nobody listens on any more. */
static int remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &status) < 0)
		r = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(status.st_mode))
		r = -EEXIST;
	else if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		 errno == EAGAIN)
		r = -EADDRINUSE;
	else if (errno != ECONNREFUSED || unlink(address->sun_path) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* The last folder of the path: /run is empty after a boot. */
static void make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	strcpy(folder, path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = '\0';
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		log_debug("mkdir %s: %s", folder, strerror(errno));
}

static int listen_bind(int fd, const struct sockaddr_un *address, mode_t mode)
{
	int r = remove_stale(address);
	mode_t before;

	if (r < 0)
		return r;
	/* It is made with the mode that it keeps, without a moment in which it has a wider one. */
	before = umask(0777 & ~mode);
	r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	umask(before);
	if (r < 0)
		return r;
	if (listen(fd, SERVER_BACKLOG) < 0) {
		r = -errno;
		unlink(address->sun_path);
	}
	return r;
}

static int listen_new(const char *path, mode_t mode, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, r;

	if (!*path || strlen(path) >= sizeof(address.sun_path)) {
		log_error("socket path of 1 to %zu bytes expected", sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	make_folder(path);
	r = listen_bind(fd, &address, mode);
	if (r < 0) {
		log_error("%s: %s", path,
			  r == -EADDRINUSE ? "a service listens there already" : strerror(-r));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* New ones at a path and beside it. */
static int listen_own(const char *path, struct listen *listen)
{
	static const char *const suffixes[NR_POLICY_SOCKETS] = { "", ".admin" };
	int r;

	for (int i = 0; i < NR_POLICY_SOCKETS; i++) {
		char name[sizeof(listen->paths[i]) + 8];

		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]) >= sizeof(name))
			name[sizeof(name) - 1] = '\0';
		r = listen_new(name, modes[i], &listen->fds[i]);
		if (r < 0) {
			listen_unlink(listen);
			return r;
		}
		snprintf(listen->paths[i], sizeof(listen->paths[i]), "%s", name);
	}
	return 0;
}

int listen_open(const char *path, struct listen *ret_listen)
{
	struct listen listen = { .fds = { -1, -1 } };
	int r = path ? 0 : listen_inherited(&listen);

	if (r < 0)
		log_error("the passed socket can't be used: %s", strerror(-r));
	if (!r)
		r = listen_own(path ? path : DUNE_SOCKET, &listen);
	if (r < 0)
		return r;
	*ret_listen = listen;
	return 0;
}

void listen_unlink(const struct listen *listen)
{
	for (int i = 0; i < NR_POLICY_SOCKETS; i++) {
		if (listen->paths[i][0])
			unlink(listen->paths[i]);
	}
}
