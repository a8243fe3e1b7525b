// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Binds a context to this process: fd, ATTACH, the pages of the host area. Nothing here knows what
 * will run in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "libdune/host/host.h"

/* Above what programs use, below what they size tables by. */
#define FD_HIGHEST     1023
#define FD_TRIES       64
#define RSEQ_SIGNATURE 0x53053053
#define RSEQ_SIZE      32

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

const char *host_step_text(enum host_step step)
{
	static const char *const texts[HOST_NR_STEPS] = {
		[HOST_ATTACH] = "binding the context to this process",
		[HOST_MAP] = "mapping the host area",
		[HOST_WRITE] = "filling private memory",
		[HOST_LOCK] = "locking private memory",
		[HOST_CPU] = "using this processor",
	};

	return texts[step];
}

int host_move_fd(int fd)
{
	struct rlimit limit;
	int highest = FD_HIGHEST, new;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur <= FD_HIGHEST)
		highest = (int)limit.rlim_cur - 1;
	for (int at = highest; at > highest - FD_TRIES && at > fd; at--) {
		new = fcntl(fd, F_DUPFD_CLOEXEC, at);
		if (new >= 0) {
			close(fd);
			return new;
		}
		if (errno != EMFILE && errno != EINVAL)
			return -errno;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return fd;
}

static int map_page(int fd, uint64_t address, int prot, off_t offset)
{
	void *page =
		mmap((void *)address, 4096, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, offset);

	if (page == MAP_FAILED)
		return -errno;
	if (page != (void *)address) {
		munmap(page, 4096);
		return -EEXIST;
	}
	return 0;
}

int host_attach(int fd, enum host_step *ret_step)
{
	struct dune_attach attach = { .abi = DUNE_ABI_VERSION };
	int error;

	*ret_step = HOST_ATTACH;
	/* A signal that comes first makes the kernel give up; it has been handled by now. */
	while (ioctl(fd, DUNE_ATTACH, &attach))
		if (errno != EINTR)
			return -errno;
	*ret_step = HOST_MAP;
	error = map_page(fd, DUNE_TRAMPOLINE_ADDR, PROT_READ | PROT_EXEC, DUNE_MMAP_TRAMPOLINE);
	if (!error)
		error = map_page(fd, DUNE_RUN_ADDR, PROT_READ, DUNE_MMAP_RUN);
	if (!error)
		error = map_page(fd, DUNE_ARGS_ADDR, PROT_READ, DUNE_MMAP_ARGS);
	return error;
}

int host_rseq(int on)
{
	char *thread;

	if (!&__rseq_size || !__rseq_size)
		return 0;
	__asm__("mov %%fs:0, %0" : "=r"(thread));
	if (syscall(SYS_rseq, thread + __rseq_offset, RSEQ_SIZE, on ? 0 : 1, RSEQ_SIGNATURE))
		return -errno;
	return 0;
}
