// SPDX-License-Identifier: LGPL-2.1-or-later
/* Finding or making the listening socket; see listen.h. */
#include "duned/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

/* 1 with systemd's socket, 0 when it passed nothing, -errno. */
static int listen_inherited(int *ret_fd)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names), found = -1;

	if (count <= 0)
		return count;
	for (int i = 0; i < count; i++) {
		if (found < 0 && !strcmp(names[i], DUNE_SOCKET_FD_NAME))
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	if (found < 0 || sd_is_socket_unix(found, SOCK_STREAM, 1, NULL, 0) <= 0) {
		log_error("among %d passed descriptors is no listening stream socket named %s",
			  count, DUNE_SOCKET_FD_NAME);
		return -EBADF;
	}
	if (fcntl(found, F_SETFL, fcntl(found, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	*ret_fd = found;
	return 1;
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

static int listen_bind(int fd, const struct sockaddr_un *address)
{
	int r = remove_stale(address);

	if (r < 0)
		return r;
	/* Nobody can connect before listen(), so the mode is right before anybody can. */
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	if (chmod(address->sun_path, 0666) < 0 || listen(fd, SERVER_BACKLOG) < 0) {
		r = -errno;
		unlink(address->sun_path);
	}
	return r;
}

static int listen_new(const char *path, int *ret_fd)
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
	r = listen_bind(fd, &address);
	if (r < 0) {
		log_error("%s: %s", path,
			  r == -EADDRINUSE ? "a service listens there already" : strerror(-r));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int listen_open(const char *path, int *ret_fd, const char **ret_path)
{
	int r = path ? 0 : listen_inherited(ret_fd);

	if (r < 0) {
		log_error("the passed socket can't be used: %s", strerror(-r));
		return r;
	}
	if (r > 0) {
		*ret_path = NULL;
		return 0;
	}
	path = path ? path : DUNE_SOCKET;
	r = listen_new(path, ret_fd);
	if (!r)
		*ret_path = path;
	return r;
}
