// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A fault that nobody answers: a page that a userfaultfd watches, in every place where the module reads or writes
 * user memory or lets the guest do so (a FUSE file's page would wait in the same places). While one process waits
 * there others have to be served, and when it is killed it has to go, with the fault still unanswered.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "raw_engine.h"

#define MEMORY	  0x100000000000ul /* at the start of a slice, as the guests' tables want it */
#define STALL_MS  5000 /* virtual; a call that has not come to the page by then won't */
#define SERVED_MS 2000
#define GONE_MS	  2000
#define SECOND_US 20000

static struct shared {
	volatile int uffd; /* in the stalled process */
	volatile uint64_t id; /* of its context, if it is attached */
} * shared;

static int device, failures;
static char *page;

/* ---- guests ---- */

/* D + 0x70 is the page's address; what is mapped for it is at 0xffffffff80800000, in RDX its own. */
#define MAP_PAGE                                                                  \
	"mov $3, %ecx\n mov 0xffffffff80030070, %rdi\n vmcall\n or $0x83, %rax\n" \
	"mov %rax, 0xffffffff80003020\n invlpg 0xffffffff80800000\n"              \
	"mov 0xffffffff80030070, %rdx\n and $0x1ff000, %edx\n add $0xffffffff80800000, %rdx\n"
/* Goes on at the low address of the same code: what happens there is the program's, not the runtime's. */
#define GO_LOW "lea 1f(%rip), %rax\n mov $-0x80000000, %rcx\n sub %rcx, %rax\n jmp *%rax\n 1: "

ENGINE_ROW(load, MAP_PAGE "mov (%rdx), %eax\n ud2");
ENGINE_ROW(store, MAP_PAGE "mov %eax, (%rdx)\n ud2");
ENGINE_ROW(load_low, MAP_PAGE GO_LOW "mov (%rdx), %eax\n ud2");
ENGINE_ROW(store_low, MAP_PAGE GO_LOW "mov %eax, (%rdx)\n ud2");
ENGINE_ROW(execute_low, MAP_PAGE GO_LOW "jmp *%rdx");
ENGINE_ROW(copy_in, "mov $1, %ecx\n mov $0x20000, %edi\n mov 0xffffffff80030070, %rsi\n"
		    "mov $8, %edx\n vmcall\n ud2");
ENGINE_ROW(copy_out, "mov $2, %ecx\n mov 0xffffffff80030070, %rdi\n mov $0x20000, %esi\n"
		     "mov $8, %edx\n vmcall\n ud2");
ENGINE_ROW(call, "mov $1, %eax\n mov $1, %edi\n mov 0xffffffff80030070, %rsi\n mov $8, %edx\n"
		 "xor %ecx, %ecx\n vmcall\n ud2");
ENGINE_ROW(leave, "xor %edi, %edi\n mov $231, %eax\n xor %ecx, %ecx\n vmcall\n ud2");

static int attach(int of)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION };

	if (ioctl(of, DUNE_CREATE, &create) || raw_attach(create.ret_fd))
		raw_die("attach: %m");
	shared->id = create.ret_id;
	return create.ret_fd;
}

static void run_guest(const char *code)
{
	int fd = attach(device);

	engine_setup(fd, code, (uint64_t)page);
	raw_go(fd);
}

/* ---- calls ---- */

static void call_create(void)
{
	ioctl(device, DUNE_CREATE, page);
}

static void call_stats(void)
{
	struct dune_stats_call call = { .abi = DUNE_ABI_VERSION,
					.buffer = (uint64_t)page,
					.capacity = 1 };

	raw_create(device, 0, "own");
	ioctl(device, DUNE_STATS, &call);
}

static void call_totals(void)
{
	struct dune_totals_call call = { .abi = DUNE_ABI_VERSION, .buffer = (uint64_t)page };

	ioctl(device, DUNE_TOTALS, &call);
}

static void call_read(void)
{
	raw_create(device, 0, "event");
	read(device, page, 4096);
}

static void call_attach(void)
{
	ioctl(raw_create(device, 0, "attach"), DUNE_ATTACH, page);
}

static int second_fd;

static void *second_call(void *unused)
{
	usleep(SECOND_US);
	raw_lock(second_fd);
	return NULL;
}

/* Its lock is held while it waits: another thread waits for the lock. */
static void call_write(void)
{
	pthread_t thread;

	second_fd = attach(device);
	pthread_create(&thread, NULL, second_call, NULL);
	raw_write(second_fd, RAW_CODE, page, 8);
}

static void call_lock(void)
{
	ioctl(attach(device), DUNE_LOCK, page);
}

static const struct row {
	const char *name, *guest;
	void (*call)(void);
} rows[] = {
	{ "CREATE", NULL, call_create },
	{ "STATS", NULL, call_stats },
	{ "TOTALS", NULL, call_totals },
	{ "read of events", NULL, call_read },
	{ "ATTACH", NULL, call_attach },
	{ "PRIVATE_WRITE and LOCK", NULL, call_write },
	{ "LOCK", NULL, call_lock },
	{ "COPY_IN", row_copy_in, NULL },
	{ "COPY_OUT", row_copy_out, NULL },
	{ "a system call", row_call, NULL },
	{ "the runtime's load", row_load, NULL },
	{ "the runtime's store", row_store, NULL },
	{ "the program's load", row_load_low, NULL },
	{ "the program's store", row_store_low, NULL },
	{ "the program's fetch", row_execute_low, NULL },
};

static void stall(const struct row *row)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	page = mmap((void *)MEMORY, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	reg.range.start = (uint64_t)page;
	reg.range.len = 4096;
	if (page == MAP_FAILED || uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg))
		raw_die("userfaultfd: %m");
	shared->uffd = uffd;
	device = raw_device();
	if (row->guest)
		run_guest(row->guest);
	row->call();
	raw_die("%s came back", row->name);
}

/* ---- what others do meanwhile ---- */

static void others_calls(void)
{
	struct dune_stats stats[8];
	struct dune_totals totals;
	struct dune_stats_call list = { .abi = DUNE_ABI_VERSION,
					.buffer = (uint64_t)stats,
					.capacity = 8 };
	struct dune_totals_call sum = { .abi = DUNE_ABI_VERSION, .buffer = (uint64_t)&totals };
	struct dune_set_limits limits = { .abi = DUNE_ABI_VERSION, .id = shared->id };
	struct dune_report report = { .abi = DUNE_ABI_VERSION, .id = shared->id };

	raw_info(device);
	if (ioctl(device, DUNE_STATS, &list) || ioctl(device, DUNE_TOTALS, &sum))
		raw_die("statistics: %m");
	if (shared->id && (ioctl(device, DUNE_SET_LIMITS, &limits) ||
			   ioctl(device, DUNE_REPORT, &report) || report.cause))
		raw_die("limits, report: %m");
	page = NULL;
	run_guest(row_leave);
}

/* Its status, or -1 when it does not end in time. */
static int end_within(pid_t pid, int ms)
{
	int status;

	for (int i = 0; i < ms; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(1000);
	}
	return -1;
}

static void fail(const struct row *row, const char *what, int status)
{
	failures++;
	printf("%s: %s (status %#x)\n", row->name, what, status);
}

static int has_stalled(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), uffd;
	struct pollfd look = { .events = POLLIN };

	for (int i = 0; i < STALL_MS && shared->uffd < 0; i++)
		usleep(1000);
	uffd = syscall(SYS_pidfd_getfd, pidfd, shared->uffd, 0);
	look.fd = uffd;
	if (uffd < 0 || poll(&look, 1, STALL_MS) != 1)
		return -1;
	return uffd;
}

static void one_row(const struct row *row)
{
	struct dune_kill call = { .abi = DUNE_ABI_VERSION };
	int status, uffd;
	pid_t pid, other;

	shared->uffd = -1;
	shared->id = 0;
	pid = fork();
	if (!pid)
		stall(row);
	uffd = has_stalled(pid);
	if (uffd < 0)
		fail(row, "did not wait for the page", 0);
	usleep(2 * SECOND_US);
	call.id = shared->id;
	other = fork();
	if (!other)
		others_calls();
	status = end_within(other, SERVED_MS);
	if (status)
		fail(row, "others are not served", status);
	kill(other, SIGKILL);
	if (call.id && ioctl(device, DUNE_KILL, &call))
		fail(row, strerror(errno), 0);
	if (!call.id)
		kill(pid, SIGKILL);
	status = end_within(pid, GONE_MS);
	if (status != SIGKILL)
		fail(row, "does not go", status);
	close(uffd);
}

int main(void)
{
	device = raw_device();
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		one_row(&rows[i]);
	printf("%zu rows, %d failures\n", sizeof(rows) / sizeof(*rows), failures);
	return !!failures;
}
