// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * slots: touches one page in each of 1,100 different gigabytes, twice: more than the machine's 40 physical address
 * bits have slots for. Says how many went well, and by which signal it was stopped; what was written is still there.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#define COUNT	1100
#define BASE	0x100000000000ul
#define STRIDE	(1ul << 30)

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

int main(void)
{
	volatile int done = 0;
	int sig;

	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	sig = sigsetjmp(back, 1);
	for (; !sig && done < COUNT; done++) {
		volatile int *page = mmap((void *)(BASE + done * STRIDE), 4096,
					  PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (page == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
		*page = done + 1;
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < done; i++)
			if ((*(volatile int *)(BASE + i * STRIDE))++ != i + 1 + round)
				return 2;
	printf("slots: %d gigabytes, signal %d\n", done, sig);
	return 0;
}
