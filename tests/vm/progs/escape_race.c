// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One thread runs in its guest and makes system calls; three threads of the same process, which are on the
 * host, try to get at the trampoline, the run page, the argument page and private memory all the while.
 */
#include <pthread.h>
#include "raw.h"
#include "attempts.h"

#define ROUNDS 400

extern const char guest_start[], guest_end[];

/* 20,000 getppid, each equal to the first. */
__asm__(".pushsection .rodata\n"
	"guest_start:\n"
	"	xor %r12, %r12\n"
	"	mov $110, %eax\n xor %ecx, %ecx\n mov $0x7000, %r11d\n vmcall\n"
	"	mov %rax, %r13\n"
	"1:	mov $110, %eax\n xor %ecx, %ecx\n mov $0x7000, %r11d\n vmcall\n"
	"	cmp %r13, %rax\n jne 2f\n"
	"	inc %r12\n cmp $20000, %r12\n jne 1b\n"
	"3:	mov $24, %eax\n xor %ecx, %ecx\n vmcall\n"		/* sched_yield until the others end it */
	"	jmp 3b\n"
	"2:	mov $9, %edi\n mov $231, %eax\n xor %ecx, %ecx\n vmcall\n"
	"guest_end:\n"
	".popsection\n");

static char before[3][4096];
static int running;

static void *attacker(void *arg)
{
	const char *(*const tries[])(void) = { attempt_read, attempt_mem, attempt_protect,
					       attempt_uring };

	for (int i = 0; i < ROUNDS; i++) {
		const char *broken = tries[(i + (long)arg) % 4]();

		if (broken) {
			printf("not refused: %s\n", broken);
			fflush(stdout);
			_exit(1);
		}
	}
	if (!__atomic_sub_fetch(&running, 1, __ATOMIC_ACQ_REL)) {
		/* The run page changes by itself, the other two must not have. */
		for (int i = 0; i < 3; i += 2)
			if (memcmp(before[i], (void *)attempt_targets[i], 4096)) {
				printf("page %#lx changed\n", attempt_targets[i]);
				_exit(2);
			}
		printf("held\n");
		fflush(stdout);
		_exit(0);
	}
	return NULL;
}

int main(void)
{
	int device = raw_device(),
	    fd = raw_setup(device, "race", guest_start, guest_end - guest_start);
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		memcpy(before[i], (void *)attempt_targets[i], 4096);
	running = 3;
	for (long i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, attacker, (void *)i))
			raw_die("pthread_create");
	raw_go(fd);
}
