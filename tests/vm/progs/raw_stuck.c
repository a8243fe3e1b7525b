// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_stuck CAUSE SIGNAL: a guest that stores to one page, at the low address that unsettle.ko is told of, and exits.
 * The context has to end with CAUSE (DUNE_END_*) and its process by SIGNAL, 0 for an exit.
 */
#include <sys/wait.h>
#include "raw_engine.h"

#define MEMORY 0x100000000000ul

/* What happens at a low address is the program's doing, not the runtime's. */
ENGINE_ROW(store,
	   "mov $3, %ecx\n movabs $0x100000000000, %rdi\n vmcall\n or $0x83, %rax\n"
	   "mov %rax, 0xffffffff80003020\n invlpg 0xffffffff80800000\n"
	   "mov $0xffffffff80800000, %rdx\n"
	   "lea 1f(%rip), %rax\n mov $-0x80000000, %rcx\n sub %rcx, %rax\n jmp *%rax\n"
	   "1: mov %eax, (%rdx)\n xor %edi, %edi\n mov $231, %eax\n xor %ecx, %ecx\n vmcall");

static void run_guest(int fd)
{
	struct engine_entry entry = engine_entry(row_store, 0, 0, 1);
	void *page = mmap((void *)MEMORY, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page == MAP_FAILED || raw_attach(fd) || raw_map_area(fd))
		raw_die("attach: %m");
	engine_fill(fd, &entry, 1, NULL, 0);
	if (engine_lock(fd))
		raw_die("lock: %m");
	raw_go(fd);
}

int main(int argc, char **argv)
{
	struct dune_create create = { .abi = DUNE_ABI_VERSION };
	struct dune_report report = { .abi = DUNE_ABI_VERSION };
	int device = raw_device(), status;

	if (argc != 3)
		raw_die("raw_stuck CAUSE SIGNAL");
	if (ioctl(device, DUNE_CREATE, &create))
		raw_die("create: %m");
	if (!fork())
		run_guest(create.ret_fd);
	wait(&status);
	report.id = create.ret_id;
	if (ioctl(device, DUNE_REPORT, &report))
		raw_die("report: %m");
	printf("cause %u, exit reason %u, gpa %#llx, status %#x\n", report.cause,
	       report.exit_reason, report.guest_physical, status);
	return report.cause != (unsigned int)atoi(argv[1]) || status != atoi(argv[2]);
}
