/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring0_hostmem: what the host's memory management does to a process in a context. ring0_hostmem.c has the tables of
 * rows, model.c regions with a model of their contents, host.c the native process that changes their memory
 * from outside; the other files hold the rows. Nothing but the model's writes changes contents.
 */
#ifndef HOSTMEM_H
#define HOSTMEM_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define PAGE	  4096ul
#define HUGE	  (2ul << 20)
#define MAX_PAGES 2048u
#define SMALL	  64u /* pages of a region that is not about 2M pages */
#define BLOCK	  512u /* pages in 2M */
#define LARGE	  1024u /* two 2M pages */
#define SPREAD	  64u /* accesses all over a large page that show how large EPT has it */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* ---- rows and verdicts (ring0_hostmem.c) ---- */

struct row {
	const char *name; /* NULL: the end of a table */
	void (*run)(void);
};

extern const struct row reclaim_rows[], thp_rows[], exec_rows[], move_rows[], file_rows[],
	hugetlb_rows[], gigantic_rows[], uffd_rows[], device_rows[], numa_rows[], counter_rows[];

enum verdict { OK, FAILED, SKIPPED }; /* OK is no siglongjmp value */

/* Ends the row. */
__attribute__((noreturn, format(printf, 2, 3))) void row_stop(enum verdict v, const char *format,
							      ...);

#define row_fail(...) row_stop(FAILED, __VA_ARGS__)
#define row_skip(...) row_stop(SKIPPED, __VA_ARGS__)
#define must(call)                                                                      \
	do {                                                                            \
		if ((long)(call) == -1)                                                 \
			row_fail("%s: %s (line %d)", #call, strerror(errno), __LINE__); \
	} while (0)

extern sigjmp_buf access_end;
extern volatile sig_atomic_t access_armed, access_signal;

/* The signal that the access gave, or 0. */
#define signal_of(access)                        \
	({                                       \
		access_signal = 0;               \
		access_armed = 1;                \
		if (!sigsetjmp(access_end, 1)) { \
			access;                  \
		}                                \
		access_armed = 0;                \
		(int)access_signal;              \
	})

#define load_of(at)	    (*(volatile uint64_t *)(at))
#define store_to(at, value) (*(volatile uint64_t *)(at) = (value))

void expect_signal(int got, int wanted, const char *what);

/* ---- contents (model.c) ---- */

struct region {
	unsigned char *at;
	unsigned int pages;
	uint64_t stamp[MAX_PAGES]; /* 0: the page is all zero */
};

/* The row's own, and one that is older than the host's process. */
extern struct region mem, cow;
extern uint64_t last_stamp;

uint64_t rnd(uint64_t below);
/* Memory that begins at a multiple of 2M. */
void region_map(struct region *r, unsigned int pages);
void region_map_at(struct region *r, unsigned int pages, int flags, int fd);
void region_unmap(struct region *r);
void page_write(struct region *r, unsigned int page);
void region_write(struct region *r);
/* What a page with this stamp has to hold, into `page_bytes`, which is PAGE long. */
void page_fill(unsigned char *page_bytes, uint64_t stamp, unsigned int page);
/* Both views: the guest's loads, and what the host's kernel finds at the same addresses. */
void region_check(const struct region *r);
void region_check_guest(const struct region *r);
/* What the host's kernel finds there. */
void copy_by_host(void *to, const void *at, size_t bytes);
void region_hammer(struct region *r, unsigned int accesses);
void region_hammer_part(struct region *r, unsigned int first, unsigned int pages,
			unsigned int accesses);
void model_init(void);

/* Of /proc/self/pagemap. */
#define MAP_PRESENT    (1ull << 63)
#define MAP_SWAPPED    (1ull << 62)
#define MAP_SOFT_DIRTY (1ull << 55)

uint64_t pagemap(const void *at);
unsigned int pages_with(const struct region *r, uint64_t flag);

/* ---- the host's process (host.c) ---- */

typedef int (*host_job)(void); /* 0 or an errno */

struct host {
	host_job _Atomic job;
	atomic_int idle, error;
	int once;
	atomic_ulong done;
	unsigned long turns; /* of the guest, since the job began */
	struct dune_stats stats;
	unsigned char *at; /* what the job is about */
	size_t bytes;
	int take_fd; /* a descriptor of that process, for host_take_fd */
	unsigned long word[8]; /* between a row and its job */
	pid_t pid; /* whose memory */
	int pidfd, device;
};

extern struct host *host;

/* Before the guest is entered: a process that shares `host`, and every private page by copy on write. */
void host_start(int context);
void host_begin(host_job job, const struct region *r);
/* True until the host did its job so many times, and the guest had as many turns. */
int host_goes_on(unsigned long rounds, time_t deadline);
/* An error of the host's job: the caller says which one means that the kernel has not got it. */
int host_end(void);
void host_stop(void);
time_t race_deadline(void);
/* Exactly one time. */
int host_once(host_job job);
int time_left(time_t deadline);
/* Reads and writes at random while the host does its job; the error of that. */
int race(struct region *r, host_job job, unsigned long rounds);
/* The same for memory of a file that loses its contents: what was lost stays lost, what is there is the file's. */
void file_race(host_job job, int fd, unsigned long rounds, unsigned long window_us);
int job_truncate(void);
int job_punch(void);
/* 2M pages, or the row is skipped. */
void huge_map(unsigned int pages, int prot);
/* Before there is another process. */
void hugetlb_prepare(void);
void device_prepare(void);

/* Jobs and what they are made of. */
int host_take_fd(void);
int host_write(const char *path, const char *text);
int host_madvise(int advice);
int host_clear_refs(const char *what);
/* The host makes everything old, and clean for its soft-dirty bits. */
void race_young(struct region *r);

/* The number behind `name` in a file of lines "name number"; -1 when there is none. */
long file_number(const char *path, const char *name);
long vmstat(const char *name_and_space);
/* The context's DUNE_COUNT_*, as the module tells the host. */
long stat_of(unsigned int counter);

/* Leaves that EPT got; how many of them are large; violations by instruction fetches. */
struct ept_cost {
	long fills, large, fetches;
};

struct ept_cost ept_cost(void);
struct ept_cost ept_cost_since(struct ept_cost before);

/* ---- executable memory (exec.c) ---- */

/* Whether it has no iTLB multihit bug. */
int cpu_may_execute_large(void);
/* A function that returns `value`. */
void code_write(unsigned char *at, uint32_t value);
uint32_t code_run(const unsigned char *at);
void code_expect(const unsigned char *at, uint32_t value);
/* Of what SPREAD accesses, each to another page of one large page, cost since then. */
void expect_large(const char *when, struct ept_cost before);
void expect_no_fills(const char *when, struct ept_cost before);
void expect_small(const char *when, struct ept_cost before, long fetches);

#endif
