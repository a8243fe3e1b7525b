// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What systemd does with a socket unit: activate PATH UID COMMAND... listens on PATH, and starts
 * COMMAND as UID with that socket whenever a connection waits and no instance runs. Prints each
 * start and the status of each end; SIGTERM ends it, not the instance. Never looks at what is
 * said over the socket.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_FD 3
#define BACKLOG	  128

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -EINVAL;
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) ||
	    listen(fd, BACKLOG))
		return -errno;
	return dup2(fd, LISTEN_FD) == LISTEN_FD && (fd == LISTEN_FD || !close(fd)) ? 0 : -errno;
}

static pid_t start(uid_t uid, char **command)
{
	char number[16];
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "varlink", 1);
	if (!setgroups(0, NULL) && !setgid(uid) && !setuid(uid))
		execv(command[0], command);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct pollfd waiting = { .fd = LISTEN_FD, .events = POLLIN };
	int r, status;
	pid_t pid;

	if (argc < 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = listen_on(argv[1]);
	if (r) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	puts("listening");
	while (poll(&waiting, 1, -1) == 1) {
		pid = start((uid_t)atoi(argv[2]), argv + 3);
		printf("started %d\n", pid);
		if (waitpid(pid, &status, 0) != pid)
			return 1;
		printf("ended with status %d\n", status);
	}
	return 1;
}
