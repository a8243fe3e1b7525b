// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Maps executable files. Nothing that is mapped already is ever replaced: a file that wants an
 * address in use is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "libdune/exec/load.h"
#include "proto/dune_abi.h"

/* Linux's ELF_ET_DYN_BASE for x86-64 and its 28 bits of randomness, in pages. */
#define PIE_BASE	 0x555555554000ull
#define PIE_RANDOM_PAGES (1ull << 28)
/* This process's own heap lies near PIE_BASE: so much further when the place is taken. */
#define PIE_STEP	 0x4000000ull
#define PIE_TRIES	 16
#define HEAD_SIZE	 4096

int complain(int status, const char *what, const char *why)
{
	fprintf(stderr, "dune-exec: %s: %s\n", what, why);
	return status;
}

static int complain_errno(const char *path, int error)
{
	int status = error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXEC;

	return -complain(status, path, strerror(error));
}

/* pread() of exactly size bytes; false for anything less. */
static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)to + done, size - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

static int open_executable(const char *path, uint64_t *ret_size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return complain_errno(path, errno);
	if (fstat(fd, &st)) {
		int error = errno;

		close(fd);
		return complain_errno(path, error);
	}
	/* As execve: a regular file, with permission, not on a noexec mount. */
	if (!S_ISREG(st.st_mode) ||
	    syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS)) {
		close(fd);
		return complain_errno(path, EACCES);
	}
	*ret_size = st.st_size;
	return fd;
}

static int read_interpreter(int fd, struct program *p, const char **ret_why)
{
	char *name;

	if (!p->file.interpreter_size)
		return 0;
	name = malloc(p->file.interpreter_size);
	if (!name || !read_at(fd, name, p->file.interpreter_size, p->file.interpreter_offset)) {
		free(name);
		*ret_why = "interpreter's name can't be read";
		return -ENOEXEC;
	}
	if (elf_check_interpreter(name, p->file.interpreter_size, ret_why)) {
		free(name);
		return -ENOEXEC;
	}
	p->interpreter = name;
	return 0;
}

static int parse(int fd, const char *head, size_t size, uint64_t file_size, struct program *p,
		 const char **ret_why)
{
	static Elf64_Phdr headers[ELF_MAX_HEADERS];
	int error = elf_parse_header(head, size, file_size, &p->file, ret_why);

	if (error)
		return error;
	if (!read_at(fd, headers, p->file.nr_headers * sizeof(*headers), p->file.headers_offset)) {
		*ret_why = "program headers can't be read";
		return -ENOEXEC;
	}
	error = elf_parse_segments(&p->file, headers, file_size, ret_why);
	return error ? error : read_interpreter(fd, p, ret_why);
}

int program_open(const char *path, struct program *ret_program, struct elf_script *ret_script,
		 bool *ret_is_script)
{
	static char head[HEAD_SIZE];
	uint64_t file_size = 0;
	const char *why = "can't be read";
	int fd = open_executable(path, &file_size), error = -ENOEXEC;
	ssize_t n;

	if (fd < 0)
		return fd;
	*ret_is_script = false;
	memset(ret_program, 0, sizeof(*ret_program));
	n = pread(fd, head, sizeof(head), 0);
	if (n >= 0 && elf_is_script(head, n)) {
		*ret_is_script = true;
		error = elf_parse_script(head, n, ret_script, &why);
	} else if (n >= 0) {
		error = parse(fd, head, n, file_size, ret_program, &why);
	}
	if (!error)
		return fd;
	close(fd);
	return -complain(EXIT_NOT_EXEC, path, why);
}

/* Linux's choice of a base: random but for ADDR_NO_RANDOMIZE, aligned as the file wants. */
static uint64_t pie_start(const struct elf_file *f)
{
	uint64_t random = 0;

	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE) &&
	    getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = 0;
	return (PIE_BASE + random % PIE_RANDOM_PAGES * ELF_PAGE) & ~(f->align - 1);
}

static bool reserve_at(uint64_t start, uint64_t size)
{
	void *at = mmap((void *)start, size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		return false;
	if (at == (void *)start)
		return true;
	munmap(at, size);
	return false;
}

/* Anywhere, aligned: for an interpreter. */
static bool reserve_anywhere(const struct elf_file *f, uint64_t size, uint64_t *ret_start)
{
	uint64_t slack = f->align - ELF_PAGE, at, start;
	void *area = mmap(NULL, size + slack, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return false;
	at = (uint64_t)area;
	start = (at + slack) & ~(f->align - 1);
	if (start > at)
		munmap((void *)at, start - at);
	if (at + slack > start)
		munmap((void *)(start + size), at + slack - start);
	*ret_start = start;
	return true;
}

/* Address space for the whole file, nothing in it yet; sets base. */
static int reserve(struct program *p, bool interpreter)
{
	uint64_t size = p->file.high - p->file.low, start;

	if (p->file.type == ET_EXEC) {
		if (p->file.low < DUNE_AREA_END)
			return -EADDRINUSE;
		p->base = 0;
		return reserve_at(p->file.low, size) ? 0 : -EADDRINUSE;
	}
	if (interpreter) {
		if (!reserve_anywhere(&p->file, size, &start))
			return -ENOMEM;
	} else {
		uint64_t step = p->file.align > PIE_STEP ? p->file.align : PIE_STEP;
		int tries = 0;

		start = pie_start(&p->file);
		while (!reserve_at(start, size)) {
			if (++tries == PIE_TRIES)
				return -ENOMEM;
			start += step;
		}
	}
	p->base = start - (p->file.low & ~(p->file.align - 1));
	if (p->file.low & (p->file.align - 1)) {
		/* The lowest segment doesn't start at a multiple of the largest alignment. */
		munmap((void *)start, size);
		if (!reserve_at(p->base + p->file.low, size))
			return -ENOMEM;
	}
	return 0;
}

static int protection(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

/* The rest of the last file page and the pages after it. */
static int map_zeroes(const struct elf_load *l, uint64_t base, int prot)
{
	uint64_t start = base + l->address + l->file_bytes;
	uint64_t page = (start + ELF_PAGE - 1) & ~(ELF_PAGE - 1);
	uint64_t end = (base + l->address + l->memory_bytes + ELF_PAGE - 1) & ~(ELF_PAGE - 1);

	if (l->file_bytes && page > start)
		memset((void *)start, 0, page - start);
	if (!l->file_bytes)
		page = start & ~(ELF_PAGE - 1);
	if (end <= page)
		return 0;
	if (mmap((void *)page, end - page, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return -errno;
	return 0;
}

static int map_load(int fd, const struct elf_load *l, uint64_t base)
{
	uint64_t skip = l->address & (ELF_PAGE - 1);
	uint64_t start = base + l->address - skip;
	uint64_t size = (l->file_bytes + skip + ELF_PAGE - 1) & ~(ELF_PAGE - 1);
	int prot = protection(l->flags);
	bool clears = l->memory_bytes > l->file_bytes &&
		      (l->address + l->file_bytes) & (ELF_PAGE - 1) && l->file_bytes;
	int error;

	if (l->file_bytes && mmap((void *)start, size, clears ? prot | PROT_WRITE : prot,
				  MAP_PRIVATE | MAP_FIXED, fd, l->offset - skip) == MAP_FAILED)
		return -errno;
	if (l->memory_bytes > l->file_bytes) {
		error = map_zeroes(l, base, prot);
		if (error)
			return error;
	}
	if (clears && !(prot & PROT_WRITE) && mprotect((void *)start, size, prot))
		return -errno;
	return 0;
}

/* What no segment covers goes back. */
static int unmap_gaps(const struct program *p)
{
	uint64_t covered = p->base + p->file.low;

	for (unsigned int i = 0; i < p->file.nr_loads; i++) {
		const struct elf_load *l = &p->file.loads[i];
		uint64_t start = (p->base + l->address) & ~(ELF_PAGE - 1);
		uint64_t end = (p->base + l->address + l->memory_bytes + ELF_PAGE - 1) &
			       ~(ELF_PAGE - 1);

		if (start > covered && munmap((void *)covered, start - covered))
			return -errno;
		if (end > covered)
			covered = end;
	}
	return 0;
}

int program_map(int fd, const char *path, struct program *program, bool interpreter)
{
	int error = reserve(program, interpreter);

	for (unsigned int i = 0; !error && i < program->file.nr_loads; i++)
		error = map_load(fd, &program->file.loads[i], program->base);
	if (!error)
		error = unmap_gaps(program);
	if (!error)
		return 0;
	if (error == -EADDRINUSE)
		return -complain(EXIT_NOT_EXEC, path, "linked at an address that is in use");
	return -complain(EXIT_NOT_EXEC, path, strerror(-error));
}
