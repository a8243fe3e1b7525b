// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What any Linux program does. Knows Dune only by what it counts: the same operations natively
 * (`bench_linux`, as root) and as an unmodified program in a context (`bench_linux guest`).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "tests/bench/bench.h"

/* A number that no kernel knows. */
#define NO_SYSCALL 0x1000
/* A request that neither the kernel nor the module knows. */
#define NO_IOCTL   _IO('D', 0xff)

/* Fewer than a CPU with 40 address bits has slots for. */
#define GIGABYTES 900
#define GIGABYTE  (1ul << 30)

static int context_fd;
static char *no_access, *pages;
static volatile char *dropped;
static long pid;
static volatile unsigned int handled;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void run_getpid(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%eax\n\tsyscall" BENCH_ENDR
			 : "=a"(result)
			 : "i"(SYS_getpid)
			 : "rcx", "r11", "memory");
	bench_expect(result, pid);
}

static void run_unknown(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%eax\n\tsyscall" BENCH_ENDR
			 : "=a"(result)
			 : "i"(NO_SYSCALL)
			 : "rcx", "r11", "memory");
	bench_expect(result, -ENOSYS);
}

static void run_ioctl(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%eax\n\tsyscall" BENCH_ENDR
			 : "=&a"(result)
			 : "i"(SYS_ioctl), "D"((long)context_fd), "S"((long)NO_IOCTL), "d"(0l)
			 : "rcx", "r11", "memory");
	bench_expect(result, -ENOTTY);
}

/* Two bytes long: on_segv steps over it. */
static void run_segv(void)
{
	handled = 0;
	__asm__ volatile(BENCH_REPT "mov (%0), %%dl" BENCH_ENDR
			 :
			 : "a"(no_access)
			 : "rdx", "memory");
	bench_expect(handled, BENCH_OPS);
}

/* The next BENCH_OPS pages. */
static void run_touch(void)
{
	__asm__ volatile(BENCH_REPT "movb $1, (%0)\n\tadd %1, %0" BENCH_ENDR
			 : "+r"(pages)
			 : "i"(BENCH_PAGE)
			 : "memory", "cc");
}

/* A page comes and goes: what the host takes away has to leave every CPU's EPT before it is reused. */
static void run_drop(void)
{
	for (int i = 0; i < BENCH_OPS; i++) {
		*dropped = 1;
		bench_expect(madvise((void *)dropped, BENCH_PAGE, MADV_DONTNEED), 0);
		bench_expect(*dropped, 0);
	}
}

static char *map(size_t bytes, int flags, int prot)
{
	char *at = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

/* In a small page, whatever the kernel's habit is. */
static void touch_once(char *gigabyte)
{
	if (madvise(gigabyte, GIGABYTE, MADV_NOHUGEPAGE) && errno != EINVAL)
		fail("madvise");
	*gigabyte = 1;
}

/* The same in a program that has touched a page in each of many gigabytes: as many slots. */
static void run_drop_many(void)
{
	static size_t gigabytes;

	for (; gigabytes < GIGABYTES; gigabytes++)
		touch_once(map(GIGABYTE, MAP_NORESERVE, PROT_READ | PROT_WRITE));
	run_drop();
}

static void on_segv(int signal, siginfo_t *info, void *context)
{
	handled++;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	pid = getpid();
	no_access = map(BENCH_PAGE, 0, PROT_NONE);
	pages = map(BENCH_PAGES * BENCH_PAGE, 0, PROT_READ | PROT_WRITE);
	dropped = map(BENCH_PAGE, 0, PROT_READ | PROT_WRITE);
	if (sigaction(SIGSEGV, &action, NULL))
		fail("sigaction");
}

/* An unattached context's fd, from the device itself. */
static int context_new(void)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION, .owner = getuid(), .name = "bench" };
	int device = open("/dev/dune", O_RDWR | O_CLOEXEC);

	if (device < 0 || ioctl(device, DUNE_CREATE, &create))
		fail("/dev/dune");
	return create.ret_fd;
}

static const struct bench_row native[] = {
	{ "native_getpid", "Linux: getpid", run_getpid },
	{ "native_unknown", "Linux: unknown system call", run_unknown },
	{ "native_ioctl", "Linux: ioctl on a context fd that is refused", run_ioctl },
	{ "native_segv", "Linux: SIGSEGV, handler, back", run_segv },
	{ "native_touch", "Linux: first write to an anonymous page", run_touch },
	{ "native_drop", "Linux: a page written, MADV_DONTNEED, read", run_drop },
};

static const struct bench_row guest[] = {
	{ "ring3_getpid", "launched program: getpid", run_getpid },
	{ "ring3_unknown", "launched program: unknown system call", run_unknown },
	{ "ring3_segv", "launched program: SIGSEGV, handler, back", run_segv },
	{ "ring3_touch", "launched program: first write to an anonymous page", run_touch },
	{ "ring3_drop", "launched program: a page written, MADV_DONTNEED, read", run_drop },
	{ "ring3_drop_many", "launched program: the same, 900 GB touched", run_drop_many },
};

int main(int argc, char **argv)
{
	int in_guest = argc == 2 && !strcmp(argv[1], "guest");
	const struct bench_row *rows = in_guest ? guest : native;
	size_t count = in_guest ? sizeof(guest) / sizeof(*guest) : sizeof(native) / sizeof(*native);

	if (argc > 1 && !in_guest) {
		fprintf(stderr, "usage: bench_linux [guest]\n");
		return 2;
	}
	prepare();
	if (!in_guest)
		context_fd = context_new();
	for (size_t i = 0; i < count; i++)
		bench_row(&rows[i],
			  in_guest ? (const volatile struct dune_run *)DUNE_RUN_ADDR : NULL);
	return 0;
}
