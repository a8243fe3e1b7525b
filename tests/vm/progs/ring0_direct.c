// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ring0_direct FD [filter]: makes every call of the module's direct path from guest ring 0, compares the results
 * with those from before, and prints how many the module made itself. With `filter` a seccomp filter
 * refuses getpid: it has to be obeyed.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <dune/dune.h>
#include "proto/dune_abi.h"

#define ROUNDS 50

static const long calls[] = { SYS_getpid, SYS_gettid,  SYS_getppid, SYS_getpgrp,
			      SYS_getuid, SYS_geteuid, SYS_getgid,  SYS_getegid };
#define NR_CALLS (sizeof(calls) / sizeof(*calls))

static long made_by_module(void)
{
	long result;

	__asm__ volatile("vmcall"
			 : "=a"(result)
			 : "c"(DUNE_HC_STAT), "D"(DUNE_COUNT_DIRECT)
			 : "rdx", "memory");
	return result;
}

static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	int filter = argc == 3 && !strcmp(argv[2], "filter"), error, wrong = 0;
	long expected[NR_CALLS];

	if (argc != 2 && !filter) {
		fprintf(stderr, "usage: ring0_direct FD [filter]\n");
		return 2;
	}
	for (size_t i = 0; i < NR_CALLS; i++)
		expected[i] = syscall(calls[i]);
	if (filter && install_filter()) {
		perror("ring0_direct: seccomp");
		return 1;
	}
	error = dune_enter(atoi(argv[1]));
	if (error) {
		fprintf(stderr, "ring0_direct: %s\n", strerror(-error));
		return 1;
	}
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < NR_CALLS; i++) {
			long got = syscall(calls[i]);

			if (filter && calls[i] == SYS_getpid)
				wrong += got != -1 || errno != EXDEV;
			else
				wrong += got != expected[i];
		}
	printf("direct %ld wrong %d\n", made_by_module(), wrong);
	return wrong != 0;
}
