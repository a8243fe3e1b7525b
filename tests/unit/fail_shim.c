// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Preloaded into the service by a test: counts the calls of its loop and its worker that take memory or make
 * a descriptor, and lets one of them fail as the kernel or the C library would. Also counts the blocks of the
 * heap, so that what is lost shows. The calls of the thread that logs never fail.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duned/worker.h"
#include "tests/unit/fail_control.h"

#define DEPTH 16

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void __libc_free(void *pointer);

static struct fail_control *control;
static __thread bool inside;
static __thread enum { THREAD_UNKNOWN, THREAD_COUNTED, THREAD_OTHER } thread;

/* Where it happened, into the log. */
static void on_crash(int signal)
{
	void *frames[DEPTH];

	backtrace_symbols_fd(frames, backtrace(frames, DEPTH), 2);
	_exit(128 + signal);
}

static void __attribute__((constructor)) shim_init(void)
{
	const char *path = getenv("FAIL_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *frames[DEPTH], *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	/* Its first call loads a library. */
	backtrace(frames, DEPTH);
	signal(SIGSEGV, on_crash);
	signal(SIGABRT, on_crash);
	thread = THREAD_COUNTED;
	control = map;
}

static uint64_t way(void)
{
	uint64_t hash = 0xcbf29ce484222325;
	void *frames[DEPTH];
	int count;

	inside = true;
	count = backtrace(frames, DEPTH);
	inside = false;
	for (int i = 2; i < count; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * 0x100000001b3;
	return hash;
}

/* Says into the log which call it is. */
static void show_way(void)
{
	void *frames[DEPTH];

	inside = true;
	backtrace_symbols_fd(frames, backtrace(frames, DEPTH), 2);
	inside = false;
}

/* The loop is known from the beginning, the worker by its name. */
static bool is_counted(void)
{
	char name[16] = "";

	if (thread == THREAD_UNKNOWN && prctl(PR_GET_NAME, name) == 0)
		thread = strcmp(name, WORKER_NAME) != 0 ? THREAD_OTHER : THREAD_COUNTED;
	return thread == THREAD_COUNTED;
}

/* Is it the turn of this call to fail? */
static bool fails(void)
{
	uint32_t count;

	if (!control || inside || !control->armed || !is_counted())
		return false;
	count = __atomic_fetch_add(&control->count, 1, __ATOMIC_SEQ_CST);
	if (control->recording && count < FAIL_MAX_CALLS)
		control->ways[count] = way();
	if (count + 1 != control->fail_at)
		return false;
	control->failed = 1;
	show_way();
	return true;
}

static void *took(void *pointer)
{
	if (control && pointer)
		__atomic_fetch_add(&control->blocks, 1, __ATOMIC_RELAXED);
	return pointer;
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	return fails() ? no_memory() : took(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return fails() ? no_memory() : took(__libc_calloc(count, size));
}

void *realloc(void *pointer, size_t size)
{
	void *result;

	if (size && fails())
		return no_memory();
	result = __libc_realloc(pointer, size);
	if (!pointer)
		took(result);
	else if (!size && control)
		__atomic_fetch_sub(&control->blocks, 1, __ATOMIC_RELAXED);
	return result;
}

void free(void *pointer)
{
	if (control && pointer)
		__atomic_fetch_sub(&control->blocks, 1, __ATOMIC_RELAXED);
	__libc_free(pointer);
}

/* ---- descriptors ---- */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int no_descriptor(void)
{
	errno = EMFILE;
	return -1;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	return fails() ? no_descriptor() : REAL(accept4)(fd, address, size, flags);
}

int pipe2(int ends[2], int flags)
{
	return fails() ? no_descriptor() : REAL(pipe2)(ends, flags);
}

int eventfd(unsigned int value, int flags)
{
	return fails() ? no_descriptor() : REAL(eventfd)(value, flags);
}

int socket(int domain, int type, int protocol)
{
	return fails() ? no_descriptor() : REAL(socket)(domain, type, protocol);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, int);
	va_end(arguments);
	return fails() ? no_descriptor() : REAL(open)(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	if (!fails())
		return REAL(fopen)(path, mode);
	no_descriptor();
	return NULL;
}

/* Without a free descriptor the kernel drops what was passed, and says so. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t n = REAL(recvmsg)(fd, message, flags);
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(message) : NULL;

	if (!header || header->cmsg_type != SCM_RIGHTS || !fails())
		return n;
	for (size_t at = CMSG_LEN(0); at < header->cmsg_len; at += sizeof(int)) {
		int passed;

		memcpy(&passed, (char *)header + at, sizeof(int));
		close(passed);
	}
	message->msg_controllen = 0;
	message->msg_flags |= MSG_CTRUNC;
	return n;
}
