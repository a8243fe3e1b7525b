// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a guest can't survive, a row each and a context each: page tables, descriptor tables and stacks that
 * lie nowhere or where nothing may be written, and the end that the module has to report for it.
 *
 * Two ends have no row. DUNE_END_STUCK takes a kernel that changes a page table and tells nobody (raw_stuck).
 * DUNE_END_EVENT_LOOP takes #AC or #DB in the middle of the delivery of another event. In 64-bit mode, which a guest
 * can't leave, delivery aligns the stack and so gives no #AC (SDM 3A 6.14.2), and a breakpoint that it hits is
 * reported when it is complete, so that the handler is interrupted and not the delivery; debug registers are not the
 * guest's to set anyway. The check stands there for processors that do otherwise.
 */
#include <signal.h>
#include <sys/wait.h>
#include "raw_engine.h"

#define TRIPLE	2, DUNE_END_TRIPLE_FAULT, SIGKILL
#define NOWHERE 48, DUNE_END_BAD_GPA, SIGKILL
#define PANIC	18, DUNE_END_PANIC, SIGKILL
#define FAULT	0, DUNE_END_EXIT
#define FRAMES	0, DUNE_END_SIGNALS, SIGKILL

/* 2 MB at 0xffffffff80800000 become those at `gpa`. */
#define MAP(gpa)                                                         \
	"movabs $" #gpa " + 0x83, %rax\n mov %rax, 0xffffffff80003020\n" \
	"invlpg 0xffffffff80800000\n"
/* LGDT, LIDT from limit and base. */
#define LOAD(what, limit, base) \
	"movw $" #limit ", (%rsi)\n movq $" #base ", 2(%rsi)\n" what " (%rsi)\n"
#define CR3(gpa) "movabs $" #gpa ", %rax\n mov %rax, %cr3\n nop"
#define RAISE	 "mov $4, %ecx\n mov $11, %edi\n mov $1, %esi\n vmcall\n 1: jmp 1b"

/* clang-format off */
#define ROWS(X) \
	X(idt_empty, TRIPLE, LOAD("lidt", 0, 0xffffffff80005000) "ud2") \
	X(idt_absent, TRIPLE, LOAD("lidt", 0xfff, 0xffffffff80600000) "int3") \
	X(idt_hole, NOWHERE, MAP(0x1000000) LOAD("lidt", 0xfff, 0xffffffff80800000) "int3") \
	X(gdt_absent, TRIPLE, LOAD("lgdt", 0xfff, 0xffffffff80600000) "int3") \
	X(gdt_empty, TRIPLE, LOAD("lgdt", 0, 0xffffffff80004000) "ud2") \
	X(gdt_hole, NOWHERE, MAP(0x1000000) LOAD("lgdt", 0xfff, 0xffffffff80800000) "ud2") \
	X(tss_hole, NOWHERE, MAP(0x1000000) \
	  "movabs $0x8000898000000067, %rax\n mov %rax, 0xffffffff80004098\n" \
	  "movl $-1, 0xffffffff800040a0\n mov $0x98, %eax\n ltr %ax\n ud2") \
	X(cr3_private, NOWHERE, CR3(0x1000000)) \
	X(cr3_private_end, NOWHERE, CR3(0x1ffff000)) \
	X(cr3_between, NOWHERE, CR3(0x20000000)) \
	X(cr3_slot, NOWHERE, CR3(0x40000000)) \
	X(cr3_top, NOWHERE, CR3(0xfffffff000)) \
	X(cr3_empty, TRIPLE, CR3(0x0)) \
	X(cr3_run, TRIPLE, CR3(0x30000000)) \
	X(pml4_hole, NOWHERE, "movq $0x1000007, 0xffffffff80001800\n movabs $0xffff800000000000, %rax\n" \
	  "mov (%rax), %eax") \
	X(pde_hole, NOWHERE, MAP(0x1e000000) "mov 0xffffffff80801000, %eax") \
	X(pde_top, NOWHERE, MAP(0xffffe00000) "mov 0xffffffff80801000, %eax") \
	X(slot_last, NOWHERE, MAP(0xffc0000000) "mov %eax, 0xffffffff80801000") \
	X(run_write, NOWHERE, MAP(0x30000000) "mov %eax, 0xffffffff80800000") \
	X(run_execute, NOWHERE, MAP(0x30000000) "mov $0xffffffff80800000, %rax\n jmp *%rax") \
	X(run_other, NOWHERE, MAP(0x30000000) "mov 0xffffffff80801000, %eax") \
	X(args_execute, NOWHERE, MAP(0x31000000) "mov $0xffffffff80800000, %rax\n jmp *%rax") \
	X(table_in_run, NOWHERE, "mov $0x30000007, %ecx\n mov %rcx, 0xffffffff80001800\n vmcall\n" \
	  "movabs $0xffff800040201000, %rdx\n mov (%rdx), %eax") \
	X(panic_nowhere, PANIC, "mov $5, %ecx\n mov $-1, %rdi\n vmcall") \
	X(panic_across, PANIC, "mov $5, %ecx\n mov $0x1fffffff, %edi\n vmcall") \
	X(raise, FAULT, SIGSEGV, RAISE) \
	X(frames, FRAMES, "mov 0xffffffff80030070, %rsp\n 1: cpuid\n jmp 1b") \
	X(frames_answered, FRAMES, "mov 0xffffffff80030070, %rsp\n 1: mov $99, %ecx\n vmcall\n jmp 1b")

#define CODE(...) CODE_(__VA_ARGS__)
#define CODE_(name, reason, cause, sig, body) ENGINE_ROW(name, body);
#define DATA(...) DATA_(__VA_ARGS__)
#define DATA_(name, reason, cause, sig, body) { #name, row_##name, reason, cause, sig },

ROWS(CODE)

static const struct row {
	const char *name, *code;
	uint32_t reason, cause;
	int sig;
} rows[] = { ROWS(DATA) };
/* clang-format on */

static int failures;

static void run_row(int fd, const struct row *row)
{
	static char stack[1 << 16];
	struct sigaction action = { .sa_flags = SA_NODEFER };

	action.sa_handler = (void (*)(int))(DUNE_TRAMPOLINE_ADDR + DUNE_TRAMPOLINE_SIGNAL);
	sigaction(SIGUSR1, &action, NULL);
	if (raw_attach(fd))
		raw_die("attach");
	engine_setup(fd, row->code, (uint64_t)stack + sizeof(stack) - 64);
	raw_go(fd);
}

/* Until it is in its guest: before that a signal would find no trampoline. */
static void wait_for_entry(int device, uint64_t id)
{
	struct dune_stats stats = {};

	while (stats.counters[DUNE_COUNT_ENTRIES] < 100 && stats.state != DUNE_STATE_ENDED) {
		usleep(1000);
		stats = raw_stats(device, id - 1);
	}
}

static void check_row(int device, const struct row *row)
{
	struct dune_report report = { .abi = DUNE_ABI_VERSION };
	struct dune_create create = { .abi = DUNE_ABI_VERSION };
	int status;
	pid_t pid;

	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("create: %m");
	pid = fork();
	if (!pid)
		run_row(create.ret_fd, row);
	if (row->cause == DUNE_END_SIGNALS)
		wait_for_entry(device, create.ret_id);
	while (row->cause == DUNE_END_SIGNALS && !waitpid(pid, &status, WNOHANG)) {
		kill(pid, SIGUSR1);
		usleep(1000);
	}
	if (row->cause != DUNE_END_SIGNALS)
		waitpid(pid, &status, 0);
	report.id = create.ret_id;
	if (ioctl(device, DUNE_REPORT, &report))
		raw_die("report: %m");
	if (report.cause != row->cause || (status & 0x7f) != row->sig ||
	    (row->reason && report.exit_reason != row->reason)) {
		failures++;
		printf("%s: cause %u reason %u status %#x, not cause %u reason %u signal %d; rip %#llx gpa %#llx\n",
		       row->name, report.cause, report.exit_reason, status, row->cause, row->reason,
		       row->sig, report.regs.rip, report.guest_physical);
	}
	close(create.ret_fd);
}

int main(void)
{
	int device = raw_device();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(device, &rows[i]);
	printf("%zu ends, %d failures\n", sizeof(rows) / sizeof(*rows), failures);
	return !!failures;
}
