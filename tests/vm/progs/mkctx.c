// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A context without the service: mkctx UID PROGRAM ARGUMENT... creates one for UID (as root, from
 * /dev/dune itself) and runs the program as that user; FD as an argument becomes the context's fd.
 * `mkctx UID run PATH ARGUMENT...` runs PATH by dune-exec.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define DUNE_EXEC "/usr/lib/dune/dune-exec"
#define MAX_ARGUMENTS 64

static int create(unsigned int owner)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = owner, .name = "mkctx" };
	int device = open("/dev/dune", O_RDWR | O_CLOEXEC);

	if (device < 0 || ioctl(device, DUNE_CREATE, &create)) {
		perror("mkctx: /dev/dune");
		exit(1);
	}
	if (fcntl(create.ret_fd, F_SETFD, 0)) {
		perror("mkctx: context fd");
		exit(1);
	}
	return create.ret_fd;
}

int main(int argc, char **argv)
{
	char *out[MAX_ARGUMENTS + 4];
	static char fd[12];
	unsigned int owner;
	int n = 0;

	if (argc < 3 || argc > MAX_ARGUMENTS || (!strcmp(argv[2], "run") && argc < 4)) {
		fprintf(stderr, "usage: mkctx UID [run] PROGRAM ARGUMENT...\n");
		return 2;
	}
	owner = (unsigned int)strtoul(argv[1], NULL, 10);
	snprintf(fd, sizeof(fd), "%d", create(owner));
	if (!strcmp(argv[2], "run")) {
		out[n++] = (char *)DUNE_EXEC;
		out[n++] = fd;
		out[n++] = argv[3];
	}
	for (int i = n ? 3 : 2; i < argc; i++)
		out[n++] = strcmp(argv[i], "FD") ? argv[i] : fd;
	out[n] = NULL;
	if (owner && (setgroups(0, NULL) || setresgid(owner, owner, owner) ||
		      setresuid(owner, owner, owner))) {
		perror("mkctx: uid");
		return 1;
	}
	execv(out[0], out);
	perror(out[0]);
	return 1;
}
