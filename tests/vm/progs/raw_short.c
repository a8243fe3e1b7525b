// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_short private|tables|slots: what a context does with memory, in a process that is not given enough (by its
 * cgroup): private pages of its guest; private pages so far apart that each takes a table of its own; and memory of
 * the process that the guest reads, so far apart, too.
 */
#include "raw.h"

#define MEMORY	0x100000000000ul /* at the start of a slice */
#define SIZE	(8ul << 30)
#define TABLE	0x200000ul /* what one table of the lowest level maps */
#define NODE	0x40000ul /* what one node of the kernel's tree of private pages holds */
#define BALLAST 0x100000ul
#define DENSE	(32ul << 20) /* private memory: more than the process is given */

/* 4096 pages of private memory: -ENOMEM; then exit_group(0). */
extern const char private[], private_end[];
__asm__(".pushsection .rodata\n"
	"private: mov $6, %ecx\n"
	"	mov $4096, %edi\n"
	"	vmcall\n"
	"	xor %edi, %edi\n"
	"	cmp $-12, %rax\n"
	"	setne %dil\n"
	"	mov $231, %eax\n"
	"	xor %ecx, %ecx\n"
	"	vmcall\n"
	"	ud2\n"
	"private_end:\n"
	/* Of each 2 MB of eight slices a byte, at 0xffffffff80800000 one after the other; then exit_group(0). */
	"slots:	movabs $0x100000000000, %r12\n"
	"	mov $8, %r14d\n"
	"1:	mov $3, %ecx\n"
	"	mov %r12, %rdi\n"
	"	vmcall\n"
	"	or $0x83, %rax\n"
	"	mov $512, %r13d\n"
	"2:	mov %rax, 0xffffffff80003020\n"
	"	invlpg 0xffffffff80800000\n"
	"	cmpb $0, 0xffffffff80800000\n"
	"	add $0x200000, %rax\n"
	"	dec %r13d\n"
	"	jnz 2b\n"
	"	add $0x40000000, %r12\n"
	"	dec %r14d\n"
	"	jnz 1b\n"
	"	mov $231, %eax\n"
	"	xor %edi, %edi\n"
	"	xor %ecx, %ecx\n"
	"	vmcall\n"
	"	ud2\n"
	"slots_end:\n"
	".popsection\n");
extern const char slots[], slots_end[];

static void prepare(int fd, const char *code, const char *end)
{
	if (raw_attach(fd) || raw_map_area(fd))
		raw_die("attach");
	raw_fill(fd, code, end - code);
}

/* Private pages so far apart, until there is an error or so much memory is covered. */
static int take(int fd, uint64_t stride, uint64_t end)
{
	int err = 0, count = 0;

	for (uint64_t gpa = TABLE; !err && gpa < end; gpa += stride, count += !err)
		err = raw_write(fd, gpa, NULL, 4096);
	printf("%d pages every %#lx: %s\n", count, stride, strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	int fd = raw_create(raw_device(), 0, "short");
	char *ballast;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 2 && !strcmp(argv[1], "private")) {
		prepare(fd, private, private_end);
		/* What a page needs besides itself; and what the process needs afterwards. */
		if (take(fd, NODE, DENSE))
			raw_die("no memory to begin with");
		ballast = mmap(NULL, BALLAST, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (take(fd, 4096, DENSE) != -ENOMEM)
			raw_die("memory without end");
		munmap(ballast, BALLAST);
	} else if (argc == 2 && !strcmp(argv[1], "tables")) {
		prepare(fd, private, private_end);
		return take(fd, TABLE, DUNE_PRIVATE_END) != -ENOMEM;
	} else {
		prepare(fd, slots, slots_end);
		ballast = mmap((void *)MEMORY, SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			       -1, 0);
		if (ballast == MAP_FAILED || madvise(ballast, SIZE, MADV_NOHUGEPAGE))
			raw_die("mmap: %m");
	}
	if (raw_lock(fd))
		raw_die("lock");
	raw_go(fd);
}
