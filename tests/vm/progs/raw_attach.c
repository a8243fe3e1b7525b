// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ATTACH at the moment when a thread of the process, or another process with the same memory, exits or executes
 * another program. ATTACH may succeed or say EBUSY, the one after the other is gone has to succeed, and what is
 * executed has no context. The case looks for what was left behind.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include "raw.h"

#define ROUNDS	  30
#define TRIES_MAX 1000000

static int device, fd, failures;
static volatile int go;
static unsigned int delay;

/* ---- the other one; it has no stack of libc's when it is a process ---- */

static void wait_for_go(void)
{
	while (!go)
		__asm__ volatile("pause");
	for (unsigned int i = 0; i < delay; i++)
		__asm__ volatile("pause");
}

static void leave(void)
{
	wait_for_go();
	syscall(SYS_exit, 0);
}

static void leave_all(void)
{
	wait_for_go();
	syscall(SYS_exit_group, 7);
}

static void execute(void)
{
	static char *const argv[] = { "raw_info", NULL }, *const envp[] = { NULL };

	wait_for_go();
	syscall(SYS_execve, "/progs/raw_info", argv, envp);
	syscall(SYS_exit_group, 3);
}

static void attach_too(void)
{
	struct dune_attach attach = { .abi = DUNE_ABI_VERSION };

	wait_for_go();
	for (int i = 0; i < 20; i++)
		syscall(SYS_ioctl, fd, DUNE_ATTACH, &attach);
	syscall(SYS_exit, 0);
}

static void *thread_main(void *act)
{
	((void (*)(void))act)();
	return NULL;
}

static int process_main(void *act)
{
	((void (*)(void))act)();
	return 0;
}

/* ---- the one that attaches ---- */

/* Until there is nobody in its way; the last answer. */
static int attach_insist(void)
{
	int err = -EBUSY;

	for (int i = 0; err == -EBUSY && i < TRIES_MAX; i++)
		err = raw_attach(fd);
	return err;
}

/* clang-format off */
static const struct row {
	const char *name;
	void (*other)(void);
	int process, status; /* other is a process with the same memory; status of all */
} rows[] = {
	{ "a thread exits", leave, 0, 0 },
	{ "a thread ends all", leave_all, 0, 7 },
	{ "a thread executes", execute, 0, 0 },
	{ "a process exits", leave, 1, 0 },
	{ "a process executes", execute, 1, 0 },
	{ "a process attaches", attach_too, 1, 0 },
};
/* clang-format on */

static int run(const struct row *row)
{
	static char stack[65536] __attribute__((aligned(16)));
	pthread_t thread;
	int status = 0;
	pid_t pid = 0;

	freopen("/dev/null", "w", stdout);
	if (row->process) {
		pid = clone(process_main, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			    (void *)row->other);
		if (pid < 0)
			return 100;
	} else if (pthread_create(&thread, NULL, thread_main, (void *)row->other)) {
		return 100;
	}
	go = 1;
	if (attach_insist())
		return 101;
	if (pid && (waitpid(pid, &status, 0) != pid || status))
		return 102;
	return raw_attach(fd) == -EEXIST ? 0 : 103;
}

static void one_round(const struct row *row)
{
	int status;

	fd = raw_create(device, 0, "attach");
	if (!fork())
		_exit(run(row));
	wait(&status);
	if (status != row->status << 8) {
		failures++;
		printf("%s, delay %u: status %#x\n", row->name, delay, status);
	}
	close(fd);
}

int main(void)
{
	device = raw_device();
	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned int n = 0; n < ROUNDS; n++) {
			delay = n * n * 8;
			one_round(&rows[i]);
		}
	printf("%zu rows, %d failures\n", sizeof(rows) / sizeof(*rows), failures);
	return !!failures;
}
