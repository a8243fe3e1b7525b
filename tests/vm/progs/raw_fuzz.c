// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls at random on /dev/dune and on context fds that two processes share, with arguments that are mostly
 * almost right: raw_fuzz [CALLS [SEED]]. Rounds of ROUND calls in each process, two threads in half of them. A
 * process may be killed (KILL hits its own context), nothing else may end it, no errno may be one that
 * proto/dune_abi.h has no use for, and every call has to have succeeded at some time.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "raw.h"

#define ROUND	  4000
#define NR_SHARED 3
#define ARENA	  0x10000

enum kind {
	INFO,
	CREATE,
	STATS,
	REPORT,
	LIMITS,
	KILL,
	TOTALS,
	ATTACH,
	WRITE,
	LOCK,
	SEEK,
	MAP,
	OTHER,
	NR
};

static const char *const names[NR] = { "INFO",	"CREATE", "STATS",  "REPORT", "SET_LIMITS",
				       "KILL",	"TOTALS", "ATTACH", "WRITE",  "LOCK",
				       "lseek", "mmap",	  "other" };
static const uint32_t known[] = { DUNE_INFO,	      DUNE_CREATE, DUNE_STATS,	DUNE_REPORT,
				  DUNE_SET_LIMITS,    DUNE_KILL,   DUNE_TOTALS, DUNE_ATTACH,
				  DUNE_PRIVATE_WRITE, DUNE_LOCK };
static const int errors[] = { EPERM,  ENOENT, ESRCH,  EINTR,  EBADF,  EAGAIN,	      EACCES,
			      EFAULT, EBUSY,  EEXIST, EXDEV,  ENXIO,  EINVAL,	      EMFILE,
			      ENOTTY, ENOSPC, ESPIPE, ERANGE, EDQUOT, EPROTONOSUPPORT };

/* Shared by all processes: [kind][0 = fine, else errno]. */
static struct totals {
	uint64_t results[NR][256];
	uint32_t first_id, last_id; /* contexts: of this round, of all */
	uint32_t killed; /* processes: by KILL, or for unmapping the area */
} * totals;

/* What pointers may point to: ours to be overwritten, read-only, and the end of both. */
static char *arena;
static int device, shared[NR_SHARED];

static __thread uint64_t state;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

static uint32_t below(uint32_t limit)
{
	return random64() % limit;
}

static uint64_t some_pointer(void)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return 0xffffffff81000000 + below(1 << 24);
	case 2:
		return 0x7ffffffff000 - 64 + below(128);
	case 3:
		return (uint64_t)arena + 2 * ARENA - below(600); /* crosses the end */
	case 4:
		return (uint64_t)arena + ARENA - below(600); /* into what is read-only */
	default:
		return (uint64_t)arena + below(ARENA / 2);
	}
}

static uint64_t some_value(void)
{
	switch (below(8)) {
	case 0:
		return 1ull << below(64);
	case 1:
		return -1ull << below(64);
	case 2:
		return random64();
	case 3:
		return some_pointer();
	case 4:
		return below(300);
	default:
		return below(3);
	}
}

static bool often(void)
{
	return below(8) != 0;
}

/* An argument that would do, then up to three fields of it that may not. */
static void fill_argument(enum kind kind, uint64_t *a, size_t words)
{
	uint64_t id = totals->first_id + below(6);

	if (below(2))
		id = below(totals->last_id + 2);

	memset(a, 0, words * 8);
	((uint32_t *)a)[0] = kind == INFO ? 0 : DUNE_ABI_VERSION;
	if (kind == REPORT || kind == LIMITS || (kind == KILL && !below(300)))
		a[1] = id;
	if (kind == STATS)
		*(struct dune_stats_call *)a = (struct dune_stats_call){
			DUNE_ABI_VERSION, 0, below(2) * id, some_pointer(), 1 + below(20), 0
		};
	if (kind == TOTALS)
		a[1] = some_pointer();
	if (kind == WRITE)
		*(struct dune_private_write *)a =
			(struct dune_private_write){ below(64) << 12, below(2) ? 0 : some_pointer(),
						     1 + below(8192) };
	if (kind == LOCK)
		*(struct dune_lock *)a = raw_state();
	for (int i = below(6) - 2; i > 0; i--)
		a[below(words)] = some_value();
}

static uint32_t some_command(enum kind *ret_kind)
{
	uint32_t cmd, which = below(sizeof(known) / sizeof(*known));

	*ret_kind = which;
	cmd = known[which];
	if (often())
		return cmd;
	*ret_kind = OTHER;
	switch (below(4)) {
	case 0:
		cmd ^= 1u << below(32);
		break;
	case 1:
		cmd = _IOC(below(4), 'D', below(64), below(600));
		break;
	case 2:
		cmd = (cmd & ~(0x3fffu << 16)) | below(0x4000) << 16;
		break;
	default:
		cmd = random64();
	}
	/* Of every file, and of no interest: FIOCLEX and the like would only get in our way. */
	return (cmd >> 8 & 0xff) == 'T' || (cmd >> 8 & 0xff) == 'f' ? cmd ^ 0x1000 : cmd;
}

static int some_fd(enum kind kind, int own)
{
	int fds[] = { device, own, shared[below(NR_SHARED)] };

	if (kind != OTHER && often())
		return kind <= TOTALS ? device : fds[1 + below(2)];
	return fds[below(3)];
}

static void count(enum kind kind, long result)
{
	int err = result < 0 ? errno : 0;

	for (size_t i = 0; err && errors[i] != err; i++)
		if (i == sizeof(errors) / sizeof(*errors) - 1)
			raw_die("%s: %m", names[kind]);
	__atomic_fetch_add(&totals->results[kind][err], 1, __ATOMIC_RELAXED);
}

static void one_ioctl(int own)
{
	enum kind kind;
	uint32_t cmd = some_command(&kind);
	uint64_t *argument = (uint64_t *)arena + below(256);
	size_t words = kind == OTHER ? 64 : _IOC_SIZE(cmd) / 8;
	int fd = some_fd(kind, own);
	struct dune_create *create = (void *)argument;
	long result;

	fill_argument(kind, argument, words);
	result = ioctl(fd, cmd, often() ? (void *)argument : (void *)some_pointer());
	count(kind, result);
	if (!result && kind == CREATE && create->ret_fd > shared[NR_SHARED - 1]) {
		totals->last_id = create->ret_id;
		if (often())
			close(create->ret_fd);
	}
}

static void one_mmap(int own)
{
	static const unsigned long pieces[][2] = {
		{ DUNE_TRAMPOLINE_ADDR, DUNE_MMAP_TRAMPOLINE },
		{ DUNE_RUN_ADDR, DUNE_MMAP_RUN },
		{ DUNE_ARGS_ADDR, DUNE_MMAP_ARGS },
	};
	unsigned int piece = below(3);
	unsigned long address = pieces[piece][0], offset = pieces[piece][1], size = 4096;
	int prot = piece ? PROT_READ : PROT_READ | PROT_EXEC, flags = MAP_SHARED;

	if (!often())
		address = DUNE_AREA_START + (below(0x1f0) << 12);
	if (!often())
		offset = below(2) ? below(0x400) << 12 : random64() >> 8 << 12;
	if (!often())
		size = below(8) << 12;
	if (!often())
		prot = below(8);
	if (!often())
		flags = MAP_PRIVATE;
	if (!below(100))
		count(OTHER, munmap((void *)address, 4096));
	count(MAP, mmap((void *)address, size, prot, flags | MAP_FIXED_NOREPLACE, own, offset) ==
				   MAP_FAILED ?
			   -1 :
			   0);
}

static void one_call(int own)
{
	switch (below(16)) {
	case 0:
		count(SEEK, lseek(below(2) ? own : device, some_value(), below(6)));
		break;
	case 1:
		one_mmap(own);
		break;
	case 2:
		count(OTHER, read(device, arena + below(ARENA), below(1024)));
		break;
	default:
		one_ioctl(own);
	}
}

/* ---- one process ---- */

struct work {
	uint64_t seed;
	int own;
};

static void *calls(void *arg)
{
	const struct work *work = arg;

	state = work->seed;
	for (int i = 0; i < ROUND; i++)
		one_call(work->own);
	return NULL;
}

static void process(uint64_t seed)
{
	struct work work[2] = { { seed, 0 }, { seed ^ 0x5555555555, 0 } };
	bool threads = seed & 1;
	pthread_t thread;

	work[0].own = work[1].own = raw_create(device, 0, "fuzz");
	/* Attached in half of the rounds; otherwise that is left to chance, and -EBUSY with threads. */
	if (seed & 2)
		raw_attach(work[0].own);
	if (threads)
		pthread_create(&thread, NULL, calls, &work[1]);
	calls(&work[0]);
	if (threads)
		pthread_join(thread, NULL);
	exit(0);
}

static void round_of(uint64_t seed)
{
	int status;

	totals->first_id = raw_info(device).created + 1;
	for (int i = 0; i < NR_SHARED; i++)
		shared[i] = raw_create(device, 0, "shared");
	for (int i = 0; i < 2; i++)
		if (!fork())
			process(seed + i * 0x9e3779b97f4a7c15);
	for (int i = 0; i < 2; i++) {
		wait(&status);
		totals->killed += status == SIGKILL;
		if (status && status != SIGKILL)
			raw_die("seed %#lx: a process ended with status %#x", seed, status);
	}
	for (int i = 0; i < NR_SHARED; i++)
		close(shared[i]);
}

static void prepare(void)
{
	struct rlimit limit = { 64, 64 };

	setrlimit(RLIMIT_NOFILE, &limit);
	device = raw_device();
	fcntl(device, F_SETFL, O_NONBLOCK);
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	arena = mmap(NULL, 3 * ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(arena + 2 * ARENA, ARENA);
	mprotect(arena + ARENA, ARENA, PROT_READ);
}

static int print_totals(void)
{
	int missing = 0;

	for (int kind = 0; kind < NR; kind++) {
		printf("%s: %lu fine", names[kind], totals->results[kind][0]);
		for (int err = 1; err < 256; err++)
			if (totals->results[kind][err])
				printf(", %lu %s", totals->results[kind][err],
				       strerrorname_np(err));
		printf("\n");
		/* RUN is for the trampoline alone, and who is killed does not count it. */
		missing += kind != SEEK && kind != KILL && !totals->results[kind][0];
	}
	printf("%u processes killed\n", totals->killed);
	return missing + !totals->killed;
}

int main(int argc, char **argv)
{
	uint64_t nr_calls = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	prepare();
	for (uint64_t done = 0; done < nr_calls; seed++, done += 2 * ROUND) {
		printf("seed %#lx\n", seed);
		fflush(stdout);
		round_of(seed * 0x9e3779b97f4a7c15);
	}
	return !!print_totals();
}
