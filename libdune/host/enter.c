// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dune_enter() and the rest of the public API for ring-0 programs. Owns what this process knows
 * about being in Dune mode. Signals are blocked from the moment the host's actions are changed
 * until the guest runs, so that no handler of the program is ever called outside.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <dune/dune.h>
#include "libdune/host/host.h"

#define HANDLER_MAX_SPECIAL 1 /* SIG_DFL, SIG_IGN */

static int entered;

struct enter {
	int fd;
	struct runtime_boot boot;
};

static int kernel_sigaction(int signal, const struct runtime_action *new,
			    struct runtime_action *old)
{
	return syscall(SYS_rt_sigaction, signal, new, old, 8) ? -errno : 0;
}

static int kernel_sigmask(__u64 mask, __u64 *old)
{
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, old, 8) ? -errno : 0;
}

static int read_actions(struct runtime_boot *boot)
{
	for (int i = 0; i < RUNTIME_NR_SIGNALS; i++) {
		int error = kernel_sigaction(i + 1, NULL, &boot->actions[i]);

		if (error)
			return error;
	}
	return 0;
}

/* The program's handlers, or the trampoline in their place. */
static int set_actions(const struct runtime_boot *boot, int mirrored)
{
	for (int i = 0; i < RUNTIME_NR_SIGNALS; i++) {
		struct runtime_action action = boot->actions[i];
		int error;

		if (action.handler <= HANDLER_MAX_SPECIAL)
			continue;
		if (mirrored) {
			action.handler = DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_SIGNAL;
			action.flags |= SA_SIGINFO;
		}
		error = kernel_sigaction(i + 1, &action, NULL);
		if (error)
			return error;
	}
	return 0;
}

/* Last thing before LOCK; undone when LOCK fails. */
static int leave_host(void *argument)
{
	const struct enter *e = argument;
	int error = host_rseq(0);

	return error ? error : set_actions(&e->boot, 1);
}

static uint64_t fs_base(void)
{
	uint64_t base;

	__asm__("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t gs_base(void)
{
	uint64_t base;

	__asm__("rdgsbase %0" : "=r"(base));
	return base;
}

/* Called by host_enter() on the stack that the guest goes on with. */
static int prepare(void *argument, uint64_t rsp, uint64_t rip)
{
	struct enter *e = argument;
	enum host_step step;
	int error;

	error = host_attach(e->fd, &step);
	if (error)
		return error;
	e->boot.regs.rsp = rsp;
	e->boot.regs.rip = rip;
	error = host_load(e->fd, &e->boot, fs_base(), gs_base(), leave_host, e, &step);
	if (error) {
		if (step == HOST_LOCK) {
			set_actions(&e->boot, 0);
			host_rseq(1);
		}
		return error;
	}
	return e->fd;
}

int dune_enter(int context_fd)
{
	static struct enter e;
	int error;

	if (entered)
		return -EALREADY;
	memset(&e, 0, sizeof(e));
	error = host_move_fd(context_fd);
	if (error < 0)
		return error;
	e.fd = error;
	error = kernel_sigmask(~0ull, &e.boot.sigmask);
	if (error)
		return error;
	e.boot.set_sigmask = 1;
	error = read_actions(&e.boot);
	if (!error)
		error = host_enter(prepare, &e);
	if (error) {
		kernel_sigmask(e.boot.sigmask, NULL);
		return error;
	}
	entered = 1;
	return 0;
}

int dune_entered(void)
{
	return entered;
}

int dune_trap_set(unsigned int vector, dune_trap_fn handler)
{
	if (!entered)
		return -ENOSYS;
	return syscall(DUNE_CALL_TRAP_SET, vector, handler) ? -errno : 0;
}

const volatile struct dune_run *dune_run_page(void)
{
	return entered ? (const volatile struct dune_run *)DUNE_RUN_ADDR : NULL;
}
