// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fills private memory: the runtime's image, page tables of the upper half, GDT, TSS, IDT, stacks.
 * All of it is built in ordinary memory as one block of guest-physical pages and handed over at
 * once; after LOCK the copy here is worthless. Text is never writable, nothing writable is
 * executable, a page that the runtime has no use for is not mapped.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "libdune/host/host.h"

#define PAGE   4096ull
#define PTE_P  0x1ull
#define PTE_RW 0x2ull
#define PTE_A  0x20ull
#define PTE_D  0x40ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)
#define TABLE  (PTE_P | PTE_RW | PTE_A)
#define READ   (PTE_P | PTE_A | PTE_NX)
#define WRITE  (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define EXEC   (PTE_P | PTE_A)

/* Tables of the lower half that are there from the start: a usual program needs three to six. */
#define POOL_PAGES 12
/* A test builds this file for a processor without 1 GB pages: no emulated one is without them. */
#ifndef NO_PAGE_1G
#define NO_PAGE_1G 0
#endif
#define FPU_LEGACY_SIZE 512

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};
_Static_assert(sizeof(struct gate) == 16, "processor's format");

struct tss {
	uint32_t zero0;
	uint64_t rsp[3];
	uint64_t zero1;
	uint64_t ist[7];
	uint64_t zero2;
	uint16_t zero3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "processor's format");

/* The block that is being built: guest-physical RUNTIME_IMAGE_GPA and up. */
struct builder {
	char *memory;
	uint64_t pages, used;
	const struct runtime_header *header;
	uint64_t *pml4, *pdpt, *linear_pd, *small_pt, *cpu_pd, *cpu_pt;
	uint64_t pml4_gpa;
};

static uint64_t gpa_of(const struct builder *b, const void *at)
{
	return RUNTIME_IMAGE_GPA + (uint64_t)((const char *)at - b->memory);
}

/* The next zeroed pages; the block is sized so that they never run out. */
static void *take(struct builder *b, uint64_t pages)
{
	void *at = b->memory + b->used * PAGE;

	if (pages > b->pages - b->used)
		__builtin_trap();
	b->used += pages;
	return at;
}

static uint64_t page_count(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE;
}

static void map_small(struct builder *b, uint64_t gpa, uint64_t pages, uint64_t flags)
{
	for (uint64_t i = 0; i < pages; i++, gpa += PAGE)
		b->small_pt[gpa / PAGE] = gpa | flags;
}

static void map_cpu(struct builder *b, uint64_t offset, uint64_t gpa, uint64_t pages,
		    uint64_t flags)
{
	for (uint64_t i = 0; i < pages; i++)
		b->cpu_pt[offset / PAGE + i] = (gpa + i * PAGE) | flags;
}

/* First in the block: the image is linked at its place. */
static void build_image(struct builder *b)
{
	uint64_t size = b->header->bss_end - RUNTIME_BASE - RUNTIME_IMAGE_GPA;

	memcpy(take(b, page_count(size)), host_image, host_image_end - host_image);
}

static void map_image(struct builder *b)
{
	const struct runtime_header *h = b->header;
	uint64_t text = h->text_start - RUNTIME_BASE, data = h->data_start - RUNTIME_BASE;

	map_small(b, RUNTIME_IMAGE_GPA, (text - RUNTIME_IMAGE_GPA) / PAGE, READ);
	map_small(b, text, (h->text_end - h->text_start) / PAGE, EXEC);
	map_small(b, data, page_count(h->bss_end - h->data_start), WRITE);
}

/* Upper half: linear private memory in PDPT entry 510, this vcpu's own in 511. */
static void build_tables(struct builder *b)
{
	b->pml4 = take(b, 1);
	b->pdpt = take(b, 1);
	b->linear_pd = take(b, 1);
	b->small_pt = take(b, 1);
	b->cpu_pd = take(b, 1);
	b->cpu_pt = take(b, 1);
	b->pml4_gpa = gpa_of(b, b->pml4);
	b->pml4[511] = gpa_of(b, b->pdpt) | TABLE;
	b->pdpt[510] = gpa_of(b, b->linear_pd) | TABLE;
	b->pdpt[511] = gpa_of(b, b->cpu_pd) | TABLE;
	b->linear_pd[0] = gpa_of(b, b->small_pt) | TABLE;
	for (uint64_t i = 1; i < DUNE_PRIVATE_END >> 21; i++)
		b->linear_pd[i] = (i << 21) | WRITE | PTE_PS;
	b->cpu_pd[0] = gpa_of(b, b->cpu_pt) | TABLE;
	map_small(b, b->pml4_gpa, 1, WRITE);
}

static void build_descriptors(struct builder *b)
{
	char *page = take(b, 1);
	uint64_t *gdt = (uint64_t *)page;
	struct tss *tss = (struct tss *)(page + PERCPU_TSS - PERCPU_TABLES);
	uint64_t base = PERCPU_BASE + PERCPU_TSS;

	gdt[SEL_CODE / 8] = 0x00af9b000000ffff;
	gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
	gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
	gdt[SEL_TSS / 8] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | 0x8bull << 40 |
			   (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
	gdt[SEL_CPU / 8] = 0x0040f10000000000; /* limit 0: CPU 0, node 0 */
	tss->rsp[0] = PERCPU_BASE + PERCPU_STACK_TOP;
	tss->ist[IST_TRAP - 1] = PERCPU_BASE + PERCPU_TRAP_STACK_TOP;
	tss->ist[IST_PANIC - 1] = PERCPU_BASE + PERCPU_PANIC_STACK_TOP;
	tss->ist[IST_DEBUG - 1] = PERCPU_BASE + PERCPU_DEBUG_STACK_TOP;
	tss->iomap = sizeof(*tss);
	map_cpu(b, PERCPU_TABLES, gpa_of(b, page), 1, READ);
}

static uint8_t vector_ist(unsigned int vector)
{
	switch (vector) {
	case 1:
		return IST_DEBUG;
	case 2:
	case 8:
	case 18:
		return IST_PANIC;
	default:
		return IST_TRAP;
	}
}

static void build_idt(struct builder *b)
{
	struct gate *idt = take(b, 1);

	for (unsigned int v = 0; v < 256; v++) {
		uint64_t stub = b->header->trap_stubs + v * 16;

		idt[v] = (struct gate){
			.offset0 = (uint16_t)stub,
			.offset1 = (uint16_t)(stub >> 16),
			.offset2 = (uint32_t)(stub >> 32),
			.selector = SEL_CODE,
			.ist = vector_ist(v),
			.type = v == 3 || v == 4 ? 0xee : 0x8e, /* INT3 and INTO from ring 3 */
		};
	}
	map_cpu(b, PERCPU_IDT, gpa_of(b, idt), 1, READ);
}

static void build_percpu(struct builder *b, struct runtime_boot *boot)
{
	static const struct {
		uint64_t offset, end;
	} stacks[] = {
		{ PERCPU_STACK, PERCPU_STACK_TOP },
		{ PERCPU_TRAP_STACK, PERCPU_TRAP_STACK_TOP },
		{ PERCPU_PANIC_STACK, PERCPU_PANIC_STACK_TOP },
		{ PERCPU_DEBUG_STACK, PERCPU_DEBUG_STACK_TOP },
	};
	uint64_t n;

	boot->percpu_gpa = gpa_of(b, take(b, 1));
	map_cpu(b, PERCPU_DATA, boot->percpu_gpa, 1, WRITE);
	for (unsigned int i = 0; i < sizeof(stacks) / sizeof(*stacks); i++) {
		n = (stacks[i].end - stacks[i].offset) / PAGE;
		map_cpu(b, stacks[i].offset, gpa_of(b, take(b, n)), n, WRITE);
	}
	n = page_count(boot->fpu_size_bytes + sizeof(uint32_t)); /* a frame's end mark */
	boot->fpu_gpa = gpa_of(b, take(b, n));
	map_cpu(b, PERCPU_FPU, boot->fpu_gpa, n, WRITE);
	map_cpu(b, PERCPU_RUN, DUNE_GPA_RUN, 1, READ);
	map_cpu(b, PERCPU_ARGS, DUNE_GPA_ARGS, 1, WRITE);
}

/* Also mapped: pages that DUNE_HC_PRIVATE_ALLOC may give out later among the first 2 MB. */
static void build_pool(struct builder *b, struct runtime_boot *boot)
{
	uint64_t end;

	boot->pml4_gpa = b->pml4_gpa;
	boot->pool_gpa = gpa_of(b, take(b, POOL_PAGES));
	boot->pool_pages = POOL_PAGES;
	end = RUNTIME_IMAGE_GPA + b->used * PAGE;
	map_small(b, 0, RUNTIME_IMAGE_GPA / PAGE, WRITE);
	map_small(b, boot->pool_gpa, POOL_PAGES, WRITE);
	map_small(b, end, (RUNTIME_SMALL_END - end) / PAGE, WRITE);
}

/* What of the processor the runtime must know and can't ask without an exit. */
static int read_cpu(struct runtime_boot *boot)
{
	unsigned int a, c, d, size;

	boot->page_1g = !NO_PAGE_1G && __get_cpuid(0x80000001, &a, &size, &c, &d) && d & 1u << 26;
	boot->fpu_size_bytes = FPU_LEGACY_SIZE;
	if (!__get_cpuid(1, &a, &size, &c, &d) || !(c & 1u << 27)) /* OSXSAVE */
		return 0;
	if (!__get_cpuid_count(0xd, 0, &a, &size, &c, &d))
		return -EOPNOTSUPP;
	if (size < FPU_LEGACY_SIZE + 64 || size > PERCPU_FPU_MAX - sizeof(uint32_t))
		return -EOPNOTSUPP;
	boot->fpu_size_bytes = size;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	boot->fpu_features = a | (uint64_t)d << 32;
	return 0;
}

static int header_valid(const struct runtime_header *h)
{
	uint64_t size = host_image_end - host_image;

	return size >= sizeof(*h) && h->magic == RUNTIME_MAGIC &&
	       h->image_end - RUNTIME_BASE - RUNTIME_IMAGE_GPA == size &&
	       h->bss_end >= h->image_end && h->bss_end < RUNTIME_BASE + RUNTIME_SMALL_END / 2;
}

static void fill_state(const struct builder *b, struct dune_vcpu_state *s, uint64_t fs_base,
		       uint64_t gs_base)
{
	*s = (struct dune_vcpu_state){
		.rip = b->header->entry,
		.rsp = FRAME,
		.cr3 = b->pml4_gpa,
		.gdt_base = PERCPU_BASE + PERCPU_TABLES,
		.gdt_limit = GDT_ENTRIES * 8 - 1,
		.idt_base = PERCPU_BASE + PERCPU_IDT,
		.idt_limit = 256 * sizeof(struct gate) - 1,
		.tr_base = PERCPU_BASE + PERCPU_TSS,
		.tr_limit = sizeof(struct tss) - 1,
		.tr_selector = SEL_TSS,
		.cs_selector = SEL_CODE,
		.ss_selector = SEL_DATA,
		.lstar = b->header->syscall_entry,
		.star = (uint64_t)SEL_SYSRET << 48 | (uint64_t)SEL_CODE << 32,
		.fmask = SYSCALL_MASK,
		.fs_base = fs_base,
		.gs_base = gs_base,
	};
}

static void build(struct builder *b, struct runtime_boot *boot)
{
	build_image(b);
	build_tables(b);
	map_image(b);
	build_descriptors(b);
	build_idt(b);
	build_percpu(b, boot);
	build_pool(b, boot);
	memcpy(b->memory + (b->header->boot - RUNTIME_BASE - RUNTIME_IMAGE_GPA), boot,
	       sizeof(*boot));
}

static int hand_over(int fd, const struct builder *b, uint64_t fs_base, uint64_t gs_base,
		     int (*before_lock)(void *), void *argument, enum host_step *ret_step)
{
	struct dune_private_write write = {
		.gpa = RUNTIME_IMAGE_GPA,
		.source = (uint64_t)b->memory,
		.size_bytes = b->used * PAGE,
	};
	struct dune_lock lock = { .abi = DUNE_ABI_VERSION, .signal_vector = SIGNAL_VECTOR };
	int error;

	*ret_step = HOST_WRITE;
	if (ioctl(fd, DUNE_PRIVATE_WRITE, &write))
		return -errno;
	fill_state(b, &lock.state, fs_base, gs_base);
	*ret_step = HOST_LOCK;
	error = before_lock ? before_lock(argument) : 0;
	if (error)
		return error;
	return ioctl(fd, DUNE_LOCK, &lock) ? -errno : 0;
}

int host_load(int fd, struct runtime_boot *boot, uint64_t fs_base, uint64_t gs_base,
	      int (*before_lock)(void *), void *argument, enum host_step *ret_step)
{
	struct builder b = { .header = (const struct runtime_header *)host_image };
	int error;

	*ret_step = HOST_CPU;
	if (!header_valid(b.header))
		return -ENOEXEC;
	error = read_cpu(boot);
	if (error)
		return error;
	boot->context_fd = fd;
	b.pages = RUNTIME_SMALL_END / PAGE - 1;
	b.memory = mmap(NULL, b.pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b.memory == MAP_FAILED)
		return -errno;
	build(&b, boot);
	error = hand_over(fd, &b, fs_base, gs_base, before_lock, argument, ret_step);
	munmap(b.memory, b.pages * PAGE);
	return error;
}
