/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks of `dunectl doctor`. Every check is one function that fills one finding; the ones about the
 * host read files below `root`, so that tests can show them another host.
 */
#ifndef DUNECTL_DOCTOR_H
#define DUNECTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

struct dunectl;
struct dune_client_info;

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum doctor_state state;
	char detail[200];
	char hint[240]; /* empty: none */
};

/* What the checks look at. */
struct doctor {
	const struct dunectl *ctl;
	const char *root; /* "" for this host */
	const struct dune_client_info *info; /* NULL: the service did not answer */
	char service_problem[160]; /* why */
};

struct doctor_check {
	const char *what;
	void (*run)(const struct doctor *doctor, struct doctor_finding *finding);
};

/* doctor_cpu.c, doctor_kernel.c, doctor_host.c and doctor_service.c; tables end with a row without a name. */
extern const struct doctor_check doctor_cpu_checks[];
extern const struct doctor_check doctor_kernel_checks[];
extern const struct doctor_check doctor_host_checks[];
extern const struct doctor_check doctor_service_checks[];

/* doctor_file.c: a file below the root, shortened to the buffer. Number of bytes, or -errno. */
int doctor_read(const struct doctor *doctor, const char *path, char *buffer, size_t size);
int doctor_path(const struct doctor *doctor, const char *path, char *buffer, size_t size);

/* doctor_cpu.c: a flag of the processor; false also when that is not known. */
bool doctor_cpu_has(const struct doctor *doctor, const char *flag, bool *ret_known);

/* doctor_kernel.c: the kernel's log, to be freed; NULL when it can't be read. */
char *doctor_kernel_log(const struct doctor *doctor);

__attribute__((format(printf, 3, 4))) void
doctor_note(struct doctor_finding *finding, enum doctor_state state, const char *format, ...);
__attribute__((format(printf, 2, 3))) void doctor_hint(struct doctor_finding *finding,
						       const char *format, ...);

#endif
