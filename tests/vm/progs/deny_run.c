// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * deny_run run|run-eperm|signal|mask|mm PROGRAM ARGUMENT...: runs a program under a seccomp filter that
 * answers the trampoline's RUN, its way to a handler, the end of a handler (rt_sigprocmask), or
 * prctl(PR_SET_MM), with EACCES or EPERM, as a container's might.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "proto/dune_abi.h"

static int deny(unsigned int call, unsigned int argument, unsigned int value, unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0]) + argument * 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static const struct {
	const char *name;
	unsigned int call, argument, value, error;
} rows[] = {
	{ "run", SYS_lseek, 2, DUNE_RUN, EACCES },
	{ "run-eperm", SYS_lseek, 2, DUNE_RUN, EPERM },
	{ "signal", SYS_lseek, 2, DUNE_RUN_SIGNAL, EPERM },
	{ "mask", SYS_rt_sigprocmask, 3, 8, EPERM },
	{ "mm", SYS_prctl, 0, PR_SET_MM, EACCES },
};

int main(int argc, char **argv)
{
	for (unsigned int i = 0; argc > 2 && i < sizeof(rows) / sizeof(*rows); i++) {
		if (strcmp(argv[1], rows[i].name))
			continue;
		if (deny(rows[i].call, rows[i].argument, rows[i].value, rows[i].error)) {
			perror("deny_run");
			return 1;
		}
		execv(argv[2], argv + 2);
		perror(argv[2]);
		return 1;
	}
	return 2;
}
