/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens executable files and maps them as execve would. One line of explanation on failure.
 */
#ifndef DUNE_EXEC_LOAD_H
#define DUNE_EXEC_LOAD_H

#include <stdbool.h>
#include "libdune/exec/elf.h"

#define EXIT_CONTEXT   125 /* module or context */
#define EXIT_NOT_EXEC  126
#define EXIT_NOT_FOUND 127

/* A file, parsed, and where it lies. */
struct program {
	struct elf_file file;
	uint64_t base; /* to be added to the file's addresses */
	char *interpreter; /* path, or NULL; never freed: the process becomes the program */
};

/* Prints `dune-exec: what: why` and returns status, the process's exit status. */
int complain(int status, const char *what, const char *why);

/*
 * Opens path for execution and reads its head. A script's line is left in ret_script with
 * *ret_is_script set and no more done. Returns an fd or -(exit status), complained.
 */
int program_open(const char *path, struct program *ret_program, struct elf_script *ret_script,
		 bool *ret_is_script);

/* Maps what was opened. interpreter: as a program's ELF interpreter. 0 or -(exit status). */
int program_map(int fd, const char *path, struct program *program, bool interpreter);

#endif /* DUNE_EXEC_LOAD_H */
