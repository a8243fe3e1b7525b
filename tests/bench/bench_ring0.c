// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a program in guest ring 0 does: hypercalls, exits, EPT violations, its own exceptions.
 * Enters Dune mode through libdune with the context fd in its argument. For some rows it takes
 * vectors from the runtime, by a copy of the IDT that is its own.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <dune/dune.h>
#include "libdune/guest/layout.h"
#include "tests/bench/bench.h"

#define VECTOR_BP    3
#define VECTOR_UD    6
#define VECTOR_PF    14
#define NO_HYPERCALL 99
/* Canonical, and no page table of ours maps it. */
#define NOWHERE	     0xffff900000000000

/* A faulting instruction pushes a frame below RSP: it must not hit the compiler's red zone. */
#define LEAVE_RED_ZONE "lea -128(%%rsp), %%rsp\n\t"
#define BACK_TO_STACK  "lea 128(%%rsp), %%rsp"

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate idt[256] __attribute__((aligned(4096)));
static struct table_pointer runtime_idt;
static char *present, *absent;
static long pid;
static volatile unsigned int handled;

/* The least that a handler can do: on to the next instruction. All of them are two bytes long. */
void handle_trap(void);
void handle_invalid(void);
void handle_page_fault(void);
__asm__(".pushsection .text\n"
	"handle_page_fault:	add $8, %rsp\n"
	"handle_invalid:	addq $2, (%rsp)\n"
	"handle_trap:		iretq\n"
	".popsection\n");

/*
 * A system call from ring 3 to this program: own stack, a function for an answer, and back; a number that is not
 * 0 ends ring 3.
 */
void handle_syscall(void);
void go_to_ring3(void);
__asm__(".pushsection .text\n"
	"handle_syscall:	mov %rsp, ring3_stack(%rip)\n"
	"			mov ring0_stack(%rip), %rsp\n"
	"			push %rcx\n"
	"			push %r11\n"
	"			test %eax, %eax\n"
	"			jnz 1f\n"
	"			call answer_nothing\n"
	"			pop %r11\n"
	"			pop %rcx\n"
	"			mov ring3_stack(%rip), %rsp\n"
	"			sysretq\n"
	"answer_nothing:	ret\n"
	/* void go_to_ring3(void): goes on in ring 3 on the same stack. */
	"go_to_ring3:		pop %rcx\n"
	"			mov $2, %r11d\n"
	"			mov %rsp, ring0_stack(%rip)\n"
	"			subq $4096, ring0_stack(%rip)\n"
	"			sysretq\n"
	/* The end of it: on after the SYSCALL, in ring 0. */
	"1:			mov ring3_stack(%rip), %rsp\n"
	"			jmp *%rcx\n"
	".popsection\n");
uint64_t ring0_stack, ring3_stack;

static void run_null_exit(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%ecx\n\tvmcall" BENCH_ENDR
			 : "=a"(result)
			 : "i"(NO_HYPERCALL)
			 : "rcx", "memory");
	bench_expect(result, -ENOSYS);
}

/* A hypercall that is not answered with interrupts off: a copy of no bytes. */
static void run_null_full(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%ecx\n\tvmcall" BENCH_ENDR
			 : "=a"(result)
			 : "i"(DUNE_HC_COPY_IN), "D"(0l), "d"(0l)
			 : "rcx", "memory");
	bench_expect(result, 0);
}

/* No signal is expected: RCX is not looked at. */
static void run_getpid(void)
{
	long result;

	__asm__ volatile("mov %%rsp, %%r11\n\t" BENCH_REPT
			 "mov %1, %%eax\n\txor %%ecx, %%ecx\n\tvmcall" BENCH_ENDR
			 : "=a"(result)
			 : "i"(SYS_getpid)
			 : "rcx", "rdx", "r11", "memory", "cc");
	bench_expect(result, pid);
}

static void run_syscall(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%eax\n\tsyscall" BENCH_ENDR
			 : "=a"(result)
			 : "i"(SYS_getpid)
			 : "rcx", "r11", "memory");
	bench_expect(result, pid);
}

static void run_ring3(void)
{
	__asm__ volatile(LEAVE_RED_ZONE "call go_to_ring3\n\txor %%eax, %%eax\n\t" BENCH_REPT
					"syscall" BENCH_ENDR
					"inc %%eax\n\tsyscall\n\t" BACK_TO_STACK
			 :
			 :
			 : "rax", "rcx", "r11", "memory", "cc");
}

static void run_cpuid(void)
{
	__asm__ volatile(BENCH_REPT "xor %%eax, %%eax\n\tcpuid" BENCH_ENDR
			 :
			 :
			 : "rax", "rbx", "rcx", "rdx", "memory", "cc");
}

static void run_present(void)
{
	__asm__ volatile(BENCH_REPT "movb $1, (%0)\n\tadd %1, %0" BENCH_ENDR
			 : "+r"(present)
			 : "i"(BENCH_PAGE)
			 : "memory", "cc");
}

static void run_absent(void)
{
	__asm__ volatile(BENCH_REPT "movb $1, (%0)\n\tadd %1, %0" BENCH_ENDR
			 : "+r"(absent)
			 : "i"(BENCH_PAGE)
			 : "memory", "cc");
}

static void run_invalid(void)
{
	__asm__ volatile(LEAVE_RED_ZONE BENCH_REPT "ud2" BENCH_ENDR BACK_TO_STACK
			 :
			 :
			 : "memory", "cc");
}

static void run_libdune(void)
{
	handled = 0;
	run_invalid();
	bench_expect(handled, BENCH_OPS);
}

static void run_breakpoint(void)
{
	__asm__ volatile(LEAVE_RED_ZONE BENCH_REPT "int3" BENCH_ENDR BACK_TO_STACK
			 :
			 :
			 : "memory", "cc");
}

static void run_page_fault(void)
{
	__asm__ volatile(LEAVE_RED_ZONE BENCH_REPT "mov (%0), %%dl" BENCH_ENDR BACK_TO_STACK
			 :
			 : "a"(NOWHERE)
			 : "rdx", "memory", "cc");
}

/* The next RIP by way of libdune: a C function with all registers at hand. */
static void on_invalid(struct dune_trap *trap)
{
	handled++;
	trap->regs.rip += 2;
}

static void set_gate(unsigned int vector, void (*handler)(void))
{
	uint64_t address = (uint64_t)handler;

	idt[vector] = (struct gate){
		.offset0 = (uint16_t)address,
		.offset1 = (uint16_t)(address >> 16),
		.offset2 = (uint32_t)(address >> 32),
		.selector = idt[vector].selector,
		.type = idt[vector].type,
	};
}

static void load_idt(const struct table_pointer *pointer)
{
	__asm__ volatile("lidt %0" : : "m"(*pointer));
}

/* Only for as long as it takes: a page fault is the runtime's way to learn of a new slice. */
static void own_idt(void)
{
	const struct table_pointer own = { sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("sidt %0" : "=m"(runtime_idt));
	memcpy(idt, (const void *)runtime_idt.base, sizeof(idt));
	set_gate(VECTOR_BP, handle_trap);
	set_gate(VECTOR_UD, handle_invalid);
	set_gate(VECTOR_PF, handle_page_fault);
	load_idt(&own);
}

static const struct bench_row rows[] = {
	{ "null_exit", "ring 0: null exit (unknown hypercall)", run_null_exit },
	{ "null_full", "ring 0: null exit through the full loop (copy of 0 bytes)", run_null_full },
	{ "getpid", "ring 0: getpid by the return path", run_getpid },
	{ "ring0_syscall", "ring 0: getpid by SYSCALL to the runtime", run_syscall },
	{ "cpuid", "ring 0: CPUID", run_cpuid },
	{ "ept_present", "ring 0: EPT violation, host page present", run_present },
	{ "ept_absent", "ring 0: EPT violation, anonymous page absent", run_absent },
	{ "trap_libdune", "ring 0: #UD to a C handler by libdune", run_libdune },
};

/* With the module's parameter direct_calls on. */
static const struct bench_row direct_row = { "getpid_direct", "ring 0: getpid by the direct path",
					     run_getpid };

static const struct bench_row ring3_row = { "ring3_syscall",
					    "ring 3: SYSCALL to own ring 0, stack, call",
					    run_ring3 };

static const struct bench_row trap_rows[] = {
	{ "trap_ud", "ring 0: own #UD, smallest handler", run_invalid },
	{ "trap_bp", "ring 0: own #BP, smallest handler", run_breakpoint },
	{ "trap_pf", "ring 0: own #PF, smallest handler", run_page_fault },
};

static void trap_row(const struct bench_row *row, const volatile struct dune_run *run_page)
{
	uint64_t instructions[BENCH_REPEATS], exits[BENCH_REPEATS];

	if (!bench_is_wanted(row))
		return;
	own_idt();
	bench_measure(row, run_page, instructions, exits);
	load_idt(&runtime_idt);
	bench_print(row, instructions, exits);
}

#define MSR_LSTAR 0xc0000082
#define CR4_SMEP  (1ull << 20)
#define CR4_SMAP  (1ull << 21)
#define PTE_US	  4ull
#define PTE_PS	  0x80ull
#define TABLE(e)  ((uint64_t *)(RUNTIME_BASE + ((e)&0x000ffffffffff000ull)))

static uint64_t write_lstar(uint64_t value)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_LSTAR));
	__asm__ volatile("wrmsr" : : "c"(MSR_LSTAR), "a"((uint32_t)value), "d"(value >> 32));
	return low | (uint64_t)high << 32;
}

/* Ring 3 may use the gigabyte around `address`, and ring 0 still may, too. */
static void open_to_ring3(uint64_t address)
{
	uint64_t cr3, cr4, *top, *entry;

	__asm__ volatile("mov %%cr3, %0\n\tmov %%cr4, %1" : "=r"(cr3), "=r"(cr4));
	top = TABLE(cr3) + (address >> 39 & 511);
	entry = TABLE(*top) + (address >> 30 & 511);
	*top |= PTE_US;
	for (int i = 0; !(*entry & PTE_PS) && i < 512; i++)
		TABLE(*entry)[i] |= PTE_US;
	*entry |= PTE_US;
	cr4 &= ~(CR4_SMEP | CR4_SMAP);
	__asm__ volatile("mov %1, %%cr4\n\tmov %0, %%cr3" : : "r"(cr3), "r"(cr4) : "memory");
}

static void ring3(const volatile struct dune_run *run_page)
{
	uint64_t instructions[BENCH_REPEATS], exits[BENCH_REPEATS], lstar;

	if (!bench_is_wanted(&ring3_row))
		return;
	open_to_ring3((uint64_t)run_ring3);
	lstar = write_lstar((uint64_t)handle_syscall);
	bench_measure(&ring3_row, run_page, instructions, exits);
	write_lstar(lstar);
	bench_print(&ring3_row, instructions, exits);
}

static char *map(void)
{
	char *at = mmap(NULL, BENCH_PAGES * BENCH_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return at;
}

int main(int argc, char **argv)
{
	const volatile struct dune_run *run_page;
	int error;

	bool direct = argc == 3 && !strcmp(argv[2], "direct");

	if (argc != 2 && !direct) {
		fprintf(stderr, "usage: bench_ring0 FD [direct]\n");
		return 2;
	}
	pid = getpid();
	present = map();
	absent = map();
	/* Accessed and dirty in the host's page table, and not in EPT yet. */
	memset(present, 1, BENCH_PAGES * BENCH_PAGE);
	error = dune_enter(atoi(argv[1]));
	if (!error)
		error = dune_trap_set(VECTOR_UD, on_invalid);
	if (error) {
		fprintf(stderr, "bench_ring0: %s\n", strerror(-error));
		return 1;
	}
	run_page = dune_run_page();
	if (direct) {
		bench_row(&direct_row, run_page);
		return 0;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		bench_row(&rows[i], run_page);
	for (size_t i = 0; i < sizeof(trap_rows) / sizeof(*trap_rows); i++)
		trap_row(&trap_rows[i], run_page);
	ring3(run_page);
	return 0;
}
