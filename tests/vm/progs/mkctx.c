// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A context without the service: mkctx UID PROGRAM ARGUMENT... creates one for UID (as root, from
 * /dev/dune itself) and runs the program as that user; FD as an argument becomes the context's fd.
 * `mkctx UID run PATH ARGUMENT...` runs PATH by dune-exec. Exit status: the program's, 128 + n for
 * a signal. $MKCTX_PRIVATE limits private memory, in pages; with $MKCTX_FIXED set addresses are not
 * random. With $MKCTX_HOLD set, the context is held after the program's end until that file is gone.
 * When the module ended the context, its report goes to standard error.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define DUNE_EXEC     "/usr/lib/dune/dune-exec"
#define MAX_ARGUMENTS 64

static int device;
static unsigned long long id;

static int create(unsigned int owner)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = owner, .name = "mkctx" };

	if (getenv("MKCTX_PRIVATE"))
		create.limits[DUNE_LIMIT_PRIVATE] = strtoull(getenv("MKCTX_PRIVATE"), NULL, 10);
	device = open("/dev/dune", O_RDWR | O_CLOEXEC);
	if (device < 0 || ioctl(device, DUNE_CREATE, &create)) {
		perror("mkctx: /dev/dune");
		exit(1);
	}
	if (fcntl(create.ret_fd, F_SETFD, 0)) {
		perror("mkctx: context fd");
		exit(1);
	}
	id = create.ret_id;
	return create.ret_fd;
}

static void report(void)
{
	struct dune_report r = { .abi = DUNE_ABI_VERSION, .id = id };

	if (ioctl(device, DUNE_REPORT, &r) || r.cause <= DUNE_END_KILL)
		return;
	fprintf(stderr,
		"mkctx: ended: cause %u exit %u cpl %u vector %u error %#llx qualification %#llx\n",
		r.cause, r.exit_reason, r.cpl, r.vector, r.error_code, r.exit_qualification);
	fprintf(stderr,
		"mkctx: rip %#llx rsp %#llx rflags %#llx cr2 %#llx cr3 %#llx physical %#llx\n",
		r.regs.rip, r.regs.rsp, r.regs.rflags, r.cr2, r.cr3, r.guest_physical);
	fprintf(stderr, "mkctx: rax %#llx rbx %#llx rcx %#llx rdx %#llx rsi %#llx rdi %#llx\n",
		r.regs.rax, r.regs.rbx, r.regs.rcx, r.regs.rdx, r.regs.rsi, r.regs.rdi);
}

/* Waits for the program; its status as a shell would give it. */
static int wait_for(pid_t pid, int fd)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		;
	report();
	while (getenv("MKCTX_HOLD") && access(getenv("MKCTX_HOLD"), F_OK) == 0)
		usleep(20000);
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char *out[MAX_ARGUMENTS + 4];
	static char fd[12];
	unsigned int owner;
	int n = 0, context;
	pid_t pid;

	if (argc < 3 || argc > MAX_ARGUMENTS || (!strcmp(argv[2], "run") && argc < 4)) {
		fprintf(stderr, "usage: mkctx UID [run] PROGRAM ARGUMENT...\n");
		return 2;
	}
	owner = (unsigned int)strtoul(argv[1], NULL, 10);
	context = create(owner);
	snprintf(fd, sizeof(fd), "%d", context);
	if (!strcmp(argv[2], "run")) {
		out[n++] = (char *)DUNE_EXEC;
		out[n++] = fd;
		out[n++] = argv[3];
	}
	for (int i = n ? 3 : 2; i < argc; i++)
		out[n++] = strcmp(argv[i], "FD") ? argv[i] : fd;
	out[n] = NULL;
	pid = fork();
	if (pid > 0)
		return wait_for(pid, context);
	if (owner && (setgroups(0, NULL) || setresgid(owner, owner, owner) ||
		      setresuid(owner, owner, owner))) {
		perror("mkctx: uid");
		return 1;
	}
	if (getenv("MKCTX_FIXED"))
		personality(ADDR_NO_RANDOMIZE);
	execv(out[0], out);
	perror(out[0]);
	return 1;
}
