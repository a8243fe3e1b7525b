/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that runs a table: each entry is a few instructions in ring 0 or 3, run once or for a range of
 * values; what ended it (vector and error code) goes into an array that the host gets at the end. Owns the
 * guest's own tables: every vector has a gate, whatever a row breaks is put back after it. Decides nothing:
 * what a row should have done is for its includer.
 *
 * A row is entered with RAX = RCX = the value, RSI = 4 KB of scratch memory, and ends with `int $0x81`.
 */
#ifndef RAW_ENGINE_H
#define RAW_ENGINE_H

#include "raw.h"

#define ENGINE_PD_LOW	0x8000 /* gva 0 .. 2 MB supervisor, 2 .. 4 MB user: both gpa 0 */
#define ENGINE_DATA	0x30000
#define ENGINE_IST	0x34000 /* one stack for all vectors */
#define ENGINE_TABLE	0x40000
#define ENGINE_LDT	0x50000
#define ENGINE_USER_TOP 0x58000
#define ENGINE_RESULTS	0x80000
#define ENGINE_MAX	0x20000 /* results */
#define ENGINE_USER	0x200000 /* the same memory again for ring 3: + this */
#define ENGINE_OK	0x81 /* the row came to its end */
#define ENGINE_SYSCALL	0x82 /* it came to LSTAR */
#define ENGINE_GATE	0x83 /* it came through a call gate */
#define ENGINE_COMPAT	0x84 /* it came to 32-bit code, which made a hypercall */

/* In ENGINE_TABLE: the frame for IRET, then what the engine needs. */
struct engine_entry {
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t first, count, scratch;
};

/* clang-format off */
__asm__(
	".pushsection engine, \"a\"\n"
	".set D, 0xffffffff80030000\n"
	"engine_start:\n"
	"	mov %cr0, %rax\n	mov %rax, D + 32\n"
	"	mov %cr3, %rax\n	mov %rax, D + 40\n"
	"	mov %cr4, %rax\n	mov %rax, D + 48\n"
	"	sgdt D + 64\n		sidt D + 80\n"
	"	movq $0xffffffff80040000, D\n"
	"	movq $0xffffffff80080000, D + 24\n"
	"engine_next:\n"
	"	mov D, %rbx\n"
	"	cmpq $0, (%rbx)\n	je engine_finish\n"
	"	mov 40(%rbx), %rax\n	mov %rax, D + 8\n"
	"	mov 48(%rbx), %rax\n	mov %rax, D + 16\n"
	"engine_run:\n"
	"	mov D, %rsp\n"
	"	mov 56(%rsp), %rsi\n"
	"	mov D + 8, %rcx\n	mov %rcx, %rax\n"
	"	xor %edx, %edx\n	xor %ebx, %ebx\n	xor %edi, %edi\n"
	"	iretq\n"
	"engine_trap:\n"		/* vector, then an error code if it has one */
	"	pop %rax\n		movzbl %al, %eax\n"
	"	cmp $32, %eax\n		jae 1f\n"
	"	mov $0x60227d00, %ecx\n	bt %eax, %ecx\n		jnc 1f\n"
	"	pop %rbx\n		shl $8, %ebx\n		or %ebx, %eax\n"
	"1:	mov D + 24, %rdi\n	mov %eax, (%rdi)\n	addq $4, D + 24\n"
	"	mov D + 40, %rax\n	mov %rax, %cr3\n"
	"	mov %cr0, %rax\n	cmp %rax, D + 32\n	je 2f\n"
	"	mov D + 32, %rax\n	mov %rax, %cr0\n"
	"2:	mov %cr4, %rax\n	cmp %rax, D + 48\n	je 3f\n"
	"	mov D + 48, %rax\n	mov %rax, %cr4\n"
	"3:	lgdt D + 64\n		lidt D + 80\n"
	"	xor %eax, %eax\n	lldt %ax\n"
	"	mov %eax, %ds\n		mov %eax, %es\n		mov %eax, %fs\n	mov %eax, %gs\n"
	"	incq D + 8\n		decq D + 16\n		jnz engine_run\n"
	"	addq $64, D\n		jmp engine_next\n"
	"engine_finish:\n"		/* D + 96: user address, bytes */
	"	mov $0x80000, %esi\n	mov D + 96, %rdi\n"
	"1:	mov $0x10000, %edx\n	mov $2, %ecx\n		vmcall\n"
	"	test %rax, %rax\n	jnz 2f\n"
	"	add $0x10000, %rsi\n	add $0x10000, %rdi\n"
	"	subq $0x10000, D + 104\n	ja 1b\n"
	"2:	mov %eax, %edi\n	mov $231, %eax\n	xor %ecx, %ecx\n	vmcall\n"
	"engine_syscall: int $0x82\n"
	"engine_gate: int $0x83\n"
	"	.code32\n"
	"engine_compat: mov $99, %ecx\n	vmcall\n"
	"	cmp $-38, %eax\n	jne 1f\n	int $0x84\n 1: ud2\n"
	"	.code64\n"
	"	.balign 16\n"
	"engine_stubs:\n"
	"	.set v, 0\n"
	"	.rept 256\n	.balign 16\n	pushq $v\n	jmp engine_trap\n	.set v, v + 1\n"
	"	.endr\n"
	"	.popsection\n");
/* clang-format on */

extern const char __start_engine[], __stop_engine[];
extern const char engine_start[], engine_stubs[], engine_syscall[], engine_gate[], engine_compat[];

#define ENGINE_ROW(name, body)                                      \
	extern const char row_##name[];                             \
	__asm__(".pushsection engine, \"a\"\nrow_" #name ":\n" body \
		"\n\tint $0x81\n\t.popsection\n")

static inline uint64_t engine_gva(const char *label)
{
	return RAW_BASE + RAW_CODE + (label - __start_engine);
}

/* A gate of an IDT or of the GDT (SDM 3A figures 6-8 and 5-8). */
static inline void engine_put_gate(uint64_t *at, uint64_t target, uint16_t selector, uint8_t type,
				   uint8_t ist)
{
	at[0] = (target & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
		(uint64_t)type << 40 | (target >> 16 & 0xffff) << 48;
	at[1] = target >> 32;
}

static inline void engine_put_system(uint64_t *at, uint64_t base, uint8_t type)
{
	at[0] = 0x67 | (base & 0xffffff) << 16 | (uint64_t)type << 40 | (base >> 24 & 0xff) << 56;
	at[1] = base >> 32;
}

/* Selectors for rows, beside raw.h's. */
#define ENGINE_SS3	 0x33
#define ENGINE_CS3	 0x3b
#define ENGINE_ABSENT	 0x48
#define ENGINE_CALL	 0x50 /* call gate, DPL 3, into engine_gate */
#define ENGINE_CALL_HOLE 0x60 /* to an address that is not canonical */
#define ENGINE_CALL_32	 0x70 /* to 32-bit code */
#define ENGINE_CODE32	 0x80
#define ENGINE_LDT_SEL	 0x88
#define ENGINE_TSS	 0x98 /* available, the same TSS */
#define ENGINE_TASK_GATE 0xa8

static inline void engine_fill_gdt(int fd)
{
	static uint64_t page[512];
	uint64_t tss = RAW_BASE + RAW_GDT + 0x100, ist = RAW_BASE + ENGINE_IST;

	page[1] = 0x00af9b000000ffffull;
	page[2] = 0x00cf93000000ffffull;
	engine_put_system(page + 4, tss, 0x8b);
	page[6] = 0x00cff3000000ffffull;
	page[7] = 0x00affb000000ffffull;
	page[ENGINE_ABSENT / 8] = 0x00af1b000000ffffull;
	engine_put_gate(page + ENGINE_CALL / 8, engine_gva(engine_gate), 8, 0xec, 0);
	engine_put_gate(page + ENGINE_CALL_HOLE / 8, 0x800000000000, 8, 0xec, 0);
	engine_put_gate(page + ENGINE_CALL_32 / 8, engine_gva(engine_gate), ENGINE_CODE32, 0xec, 0);
	page[ENGINE_CODE32 / 8] = 0x00cf9b000000ffffull;
	engine_put_system(page + ENGINE_LDT_SEL / 8, RAW_BASE + ENGINE_LDT, 0x82);
	engine_put_system(page + ENGINE_TSS / 8, tss, 0x89);
	page[ENGINE_TASK_GATE / 8] = 0x0000e50000200000ull;
	/* In the TSS: RSP0 at 4, IST1 at 36; it lies at 0x100. */
	memcpy((char *)page + 0x104, &ist, 8);
	memcpy((char *)page + 0x124, &ist, 8);
	raw_write(fd, RAW_GDT, page, 4096);
}

/* Vectors 0xa0 .. 0xa7: gates that are broken in one way each. */
static inline void engine_fill_idt(int fd)
{
	static uint64_t page[512];

	for (int v = 0; v < 256; v++)
		engine_put_gate(page + 2 * v, engine_gva(engine_stubs + 16 * v), 8,
				v >= 0x80 || v == 3 || v == 4 ? 0xee : 0x8e, 1);
	engine_put_gate(page + 2 * 0xa0, engine_gva(engine_gate), 8, 0x6e, 1);
	engine_put_gate(page + 2 * 0xa1, engine_gva(engine_gate), 8, 0xe5, 1);
	engine_put_gate(page + 2 * 0xa2, engine_gva(engine_gate), 0, 0xee, 1);
	engine_put_gate(page + 2 * 0xa3, engine_gva(engine_gate), 0x10, 0xee, 1);
	engine_put_gate(page + 2 * 0xa4, 0x800000000000, 8, 0xee, 1);
	engine_put_gate(page + 2 * 0xa5, engine_gva(engine_gate), ENGINE_CODE32, 0xee, 1);
	engine_put_gate(page + 2 * 0xa6, engine_gva(engine_gate), ENGINE_ABSENT, 0xee, 1);
	engine_put_gate(page + 2 * 0xa7, engine_gva(engine_gate), 8, 0xe0, 1);
	raw_write(fd, RAW_IDT, page, 4096);
}

static inline void engine_fill_tables(int fd)
{
	uint64_t page[512] = {
		[0] = RAW_PDPT_LOW | 7,
		[255] = RAW_PDPT_HIGH | 7,
		[511] = RAW_PDPT | 7,
	};

	raw_write(fd, RAW_PML4, page, 4096);
	memset(page, 0, sizeof(page));
	page[510] = RAW_PD | 7;
	raw_write(fd, RAW_PDPT, page, 4096);
	memset(page, 0, sizeof(page));
	page[0] = ENGINE_PD_LOW | 7;
	raw_write(fd, RAW_PDPT_LOW, page, 4096);
	page[0] = 0x83;
	page[1] = 0x87;
	raw_write(fd, RAW_PD, page, 4096);
	raw_write(fd, ENGINE_PD_LOW, page, 4096);
}

/* Everything but LOCK. The results, up to ENGINE_MAX of 4 bytes, come to `results`, then the guest exits with 0. */
static inline void engine_fill(int fd, const struct engine_entry *entries, size_t count,
			       const uint32_t *results, size_t nr_results)
{
	uint64_t where[2] = { (uint64_t)results, (nr_results * 4 + 0xffff) & ~0xffffull };

	if (nr_results > ENGINE_MAX || count * sizeof(*entries) > 0x10000 - 64)
		raw_die("too many rows");
	raw_fill(fd, __start_engine, __stop_engine - __start_engine);
	engine_fill_tables(fd);
	engine_fill_gdt(fd);
	engine_fill_idt(fd);
	raw_write(fd, 0, NULL, 4096);
	raw_write(fd, ENGINE_DATA, NULL, 0x10000);
	raw_write(fd, ENGINE_TABLE, NULL, 0x20000);
	raw_write(fd, ENGINE_RESULTS, NULL, where[1]);
	raw_write(fd, ENGINE_TABLE, entries, count * sizeof(*entries));
	if (raw_write(fd, ENGINE_DATA + 96, where, sizeof(where)))
		raw_die("private write");
}

static inline struct engine_entry engine_entry(const char *label, int ring, uint64_t first,
					       uint64_t count)
{
	uint64_t user = ring ? ENGINE_USER : 0;

	return (struct engine_entry){
		.rip = engine_gva(label) + user,
		.cs = ring ? ENGINE_CS3 : 0x08,
		.ss = ring ? ENGINE_SS3 : 0x10,
		.rsp = RAW_BASE + user + (ring ? ENGINE_USER_TOP : RAW_STACK),
		.rflags = 2,
		.first = first,
		.count = count,
		.scratch = RAW_BASE + user + RAW_SCRATCH,
	};
}

static inline int engine_lock(int fd)
{
	struct dune_lock lock = raw_state();

	lock.state.rip = engine_gva(engine_start);
	lock.state.lstar = engine_gva(engine_syscall);
	lock.state.star = 0x2bull << 48 | 0x08ull << 32;
	return ioctl(fd, DUNE_LOCK, &lock) ? -errno : 0;
}

/* After ATTACH: one row and nothing else, in ring 0, up to LOCK. It finds `word` at D + 0x70. */
static inline void engine_setup(int fd, const char *row, uint64_t word)
{
	struct engine_entry entry = engine_entry(row, 0, 0, 1);

	if (raw_map_area(fd))
		raw_die("area");
	engine_fill(fd, &entry, 1, NULL, 0);
	if (raw_write(fd, ENGINE_DATA + 0x70, &word, sizeof(word)) || engine_lock(fd))
		raw_die("lock");
}

#endif
