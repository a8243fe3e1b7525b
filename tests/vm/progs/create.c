// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Contexts without programs: create COUNT [PARAMETERS] asks the service COUNT times over one connection
 * to create one, with these parameters (JSON), prints each reply as a line ("created", or the error with
 * its parameters), then holds what it got until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVICE_SOCKET "/run/dune/io.dune.Manager"

static char reply[65536];

/* One message; a descriptor that comes with it stays open. */
static void receive(int fd)
{
	size_t used = 0;

	do {
		char control[CMSG_SPACE(4 * sizeof(int))];
		struct iovec vector = { reply + used, 1 };
		struct msghdr message = { .msg_iov = &vector,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &message, 0) != 1) {
			puts("closed");
			exit(1);
		}
	} while (reply[used++] && used < sizeof(reply));
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SERVICE_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), count = argc > 1 ? atoi(argv[1]) : 1;
	char call[1024];
	int size;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(SERVICE_SOCKET);
		return 1;
	}
	size = snprintf(call, sizeof(call),
			"{\"method\":\"io.dune.Manager.Create\",\"parameters\":%.900s}",
			argc > 2 ? argv[2] : "{}");
	for (int i = 0; i < count; i++) {
		if (write(fd, call, (size_t)size + 1) != size + 1)
			return 1;
		receive(fd);
		puts(strstr(reply, "\"error\"") ? reply : "created");
	}
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}
