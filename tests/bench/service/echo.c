// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * echo SOCKET: sends back what comes, by libev, in one thread: what receiving and sending alone cost. Must never
 * look at the bytes.
 */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	  1024
#define READ_SIZE 16384

static void on_client(struct ev_loop *loop, ev_io *watcher, int revents)
{
	static char bytes[READ_SIZE];
	ssize_t n = recv(watcher->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The load has one call under way on a connection, so the socket's buffer takes the reply. */
	if (n > 0 && send(watcher->fd, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n)
		return;
	ev_io_stop(loop, watcher);
	close(watcher->fd);
	free(watcher);
}

static void on_accept(struct ev_loop *loop, ev_io *watcher, int revents)
{
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ev_io *client;

	if (fd < 0)
		return;
	client = malloc(sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	ev_io_init(client, on_client, fd, EV_READ);
	ev_io_start(loop, client);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ev_loop *loop = ev_default_loop(EVFLAG_NOENV);
	struct rlimit files;
	ev_io listener;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (argc != 2 || !loop || fd < 0)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(argv[1], 0666) < 0 || listen(fd, BACKLOG) < 0) {
		perror(argv[1]);
		return 1;
	}
	ev_io_init(&listener, on_accept, fd, EV_READ);
	ev_io_start(loop, &listener);
	ev_run(loop, 0);
	return 0;
}
