/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attempts to write, through the host kernel, where only the module and the runtime may: the runtime's private
 * memory, the trampoline, the run page and the argument page. Each returns NULL when everything it tried was
 * refused, else the name of what was not.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "proto/dune_abi.h"

#define RUNTIME_ADDR	0xffffffff80000000ul

static const unsigned long attempt_targets[] = {
	DUNE_TRAMPOLINE_ADDR,	      DUNE_RUN_ADDR, DUNE_ARGS_ADDR, RUNTIME_ADDR,
	RUNTIME_ADDR + DUNE_GPA_ARGS,
};
#define NR_TARGETS	(sizeof(attempt_targets) / sizeof(*attempt_targets))
#define NR_HOST_TARGETS	3	/* the first ones exist in the host's address space */

static const char *attempt_read(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	const char *broken = NULL;

	for (size_t i = 0; i < NR_TARGETS; i++) {
		struct iovec iov = { (void *)attempt_targets[i], 64 };

		if (syscall(SYS_read, fd, attempt_targets[i], 64) != -1 || errno != EFAULT)
			broken = "read";
		if (syscall(SYS_readv, fd, &iov, 1) != -1 || errno != EFAULT)
			broken = "readv";
		if (syscall(SYS_getcwd, attempt_targets[i], 64) != -1 || errno != EFAULT)
			broken = "getcwd";
	}
	close(fd);
	return broken;
}

static const char *attempt_mem(void)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	const char *broken = NULL;
	char byte = 0x0f;

	if (fd < 0)
		return "open of /proc/self/mem";
	for (size_t i = 0; i < NR_TARGETS; i++)
		if (pwrite(fd, &byte, 1, attempt_targets[i]) == 1)
			broken = "/proc/self/mem";
	close(fd);
	return broken;
}

/* What must fail and leave the mapping as it was. MAP_FIXED is another matter outside: it ends the context. */
static const char *attempt_protect(void)
{
	for (size_t i = 0; i < NR_HOST_TARGETS; i++) {
		void *page = (void *)attempt_targets[i];

		if (!mprotect(page, 4096, PROT_READ | PROT_WRITE))
			return "mprotect to writable";
		if (!mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
			return "mprotect to anything";
		if (mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, 0x5000000000ul) !=
		    MAP_FAILED)
			return "mremap away";
		if (mremap(page, 4096, 8192, MREMAP_MAYMOVE) != MAP_FAILED)
			return "mremap larger";
		/* It may drop the page: the same one has to come back. */
		madvise(page, 4096, MADV_DONTNEED);
	}
	return NULL;
}

struct ring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static const char *ring_open(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return "io_uring_setup";
	ring->sq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			IORING_OFF_SQ_RING);
	ring->cq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			IORING_OFF_CQ_RING);
	ring->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			  IORING_OFF_SQES);
	return ring->sq == MAP_FAILED || ring->cq == MAP_FAILED ||
			       (void *)ring->sqes == MAP_FAILED ?
		       "io_uring mmap" :
		       NULL;
}

/* A read of 64 bytes to `address`, done by the kernel on its own; the result. */
static int ring_read(struct ring *ring, int fd, unsigned long address, int flags)
{
	unsigned int *tail = (unsigned int *)(ring->sq + ring->params.sq_off.tail);
	unsigned int *array = (unsigned int *)(ring->sq + ring->params.sq_off.array);
	unsigned int *head = (unsigned int *)(ring->cq + ring->params.cq_off.head);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring->cq + ring->params.cq_off.cqes);
	unsigned int index = *tail & 3;
	int result;

	ring->sqes[index] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ,
		.fd = fd,
		.addr = address,
		.len = 64,
		.off = -1ul,
		.flags = flags,
	};
	array[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -ECANCELED;
	result = cqes[*head & 7].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static const char *attempt_uring(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	const char *broken;
	char control[64];
	struct ring ring;

	broken = ring_open(&ring);
	if (broken)
		return broken;
	/* It works at all, and would write where it may. */
	memset(control, 1, sizeof(control));
	if (ring_read(&ring, fd, (unsigned long)control, 0) != 64 || control[63])
		broken = "io_uring read of an ordinary buffer";
	for (size_t i = 0; i < NR_TARGETS && !broken; i++) {
		if (ring_read(&ring, fd, attempt_targets[i], 0) != -EFAULT)
			broken = "io_uring read";
		if (ring_read(&ring, fd, attempt_targets[i], IOSQE_ASYNC) != -EFAULT)
			broken = "io_uring read by a worker";
	}
	munmap(ring.sq, 4096);
	munmap(ring.cq, 4096);
	munmap(ring.sqes, 4096);
	close(ring.fd);
	close(fd);
	return broken;
}

#endif
