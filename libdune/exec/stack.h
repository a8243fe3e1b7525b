/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The new program's initial stack: argc, argv, envp, auxv as execve lays them out. Built aside and
 * copied over this process's own by the last instructions before the trampoline.
 */
#ifndef DUNE_EXEC_STACK_H
#define DUNE_EXEC_STACK_H

#include "libdune/exec/load.h"

struct stack_request {
	char **argv; /* of dune-exec; its strings and auxv lie on the stack */
	int argc;
	int skip; /* arguments that are dune-exec's own */
	const char *prefix[3]; /* a script's interpreter, its argument, the script; else NULL */
	const char *path; /* AT_EXECFN: on the stack already */
	const struct program *program, *interpreter; /* interpreter NULL: none */
};

struct stack_image {
	char *bytes; /* an own mapping */
	uint64_t mapping_size;
	uint64_t size;
	uint64_t rsp; /* where bytes go and where the program starts */
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t auxv, auxv_size;
};

/* 0 or -errno. */
int stack_build(const struct stack_request *request, struct stack_image *ret_image);

#endif /* DUNE_EXEC_STACK_H */
