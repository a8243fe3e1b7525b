// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dune-exec FD PATH ARGV0 ARGS...: becomes the program PATH, in guest ring 3 of the context FD.
 * Started by dunectl. Once the program's image is in place nothing of this one remains: the runtime
 * unmaps it before the first instruction.
 *
 * Exit status when it can't: 127 PATH not found, 126 not executable, 125 the context or the module.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "libdune/exec/load.h"
#include "libdune/exec/stack.h"
#include "libdune/host/host.h"

#define OWN_ARGUMENTS 3 /* own name, FD, PATH */
/* Linux's brk randomisation for x86-64. */
#define BRK_RANDOM    0x02000000ull

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

struct launch {
	const char *path;
	int fd;
	struct program program, interpreter;
	bool has_interpreter;
	struct elf_script script;
	bool is_script;
	struct stack_image stack;
	struct runtime_boot boot;
};

static int parse_fd(const char *text, int *ret_fd)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > INT_MAX)
		return -EINVAL;
	*ret_fd = (int)value;
	return 0;
}

/*
 * The program, a script's interpreter in its place, and the ELF interpreter: mapped. 0 or status.
 */
static int load_files(struct launch *l)
{
	const char *path = l->path;
	struct elf_script none;
	bool is_script;
	int fd = program_open(path, &l->program, &l->script, &l->is_script), error;

	if (fd >= 0 && l->is_script) {
		close(fd);
		path = l->script.interpreter;
		fd = program_open(path, &l->program, &none, &is_script);
		if (fd >= 0 && is_script)
			return complain(EXIT_NOT_EXEC, path, "a script as a script's interpreter");
	}
	if (fd < 0)
		return -fd;
	error = program_map(fd, path, &l->program, false);
	close(fd);
	if (error || !l->program.interpreter)
		return -error;
	path = l->program.interpreter;
	fd = program_open(path, &l->interpreter, &none, &is_script);
	if (fd < 0)
		return -fd;
	if (is_script)
		return complain(EXIT_NOT_EXEC, path, "not an ELF file");
	error = program_map(fd, path, &l->interpreter, true);
	close(fd);
	l->has_interpreter = true;
	return -error;
}

static int build_stack(struct launch *l, int argc, char **argv)
{
	const struct stack_request request = {
		.argv = argv,
		.argc = argc,
		.skip = OWN_ARGUMENTS,
		.prefix = {
			l->is_script ? l->script.interpreter : NULL,
			l->is_script && l->script.argument ? l->script.argument : l->path,
			l->is_script && l->script.argument ? l->path : NULL,
		},
		.path = l->path,
		.program = &l->program,
		.interpreter = l->has_interpreter ? &l->interpreter : NULL,
	};
	int error = stack_build(&request, &l->stack);

	return error ? complain(EXIT_CONTEXT, l->path, strerror(-error)) : 0;
}

static void map_code_data(const struct program *p, struct prctl_mm_map *map)
{
	map->start_code = ~0ull;
	for (unsigned int i = 0; i < p->file.nr_loads; i++) {
		const struct elf_load *s = &p->file.loads[i];
		uint64_t start = p->base + s->address, end = start + s->file_bytes;

		if (s->flags & PF_X) {
			map->start_code = start < map->start_code ? start : map->start_code;
			map->end_code = end > map->end_code ? end : map->end_code;
		}
		map->start_data = start > map->start_data ? start : map->start_data;
		map->end_data = end > map->end_data ? end : map->end_data;
	}
}

/* Where this process's heap begins: field 47 of /proc/self/stat. 0 when it can't be told. */
static uint64_t heap_start(void)
{
	char text[1024], *at;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t n;

	if (!file)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	at = strrchr(text, ')');
	for (int field = 2; at && field < 47; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) & ~(ELF_PAGE - 1) : 0;
}

static void add_unmap(struct launch *l, uint64_t start, uint64_t end)
{
	start &= ~(ELF_PAGE - 1);
	end = (end + ELF_PAGE - 1) & ~(ELF_PAGE - 1);
	if (end <= start || l->boot.nr_unmap == RUNTIME_MAX_UNMAP)
		return;
	l->boot.unmap[l->boot.nr_unmap].start = start;
	l->boot.unmap[l->boot.nr_unmap++].size_bytes = end - start;
}

/*
 * brk, and what /proc shows of the process. Where the kernel doesn't allow it brk stays this
 * process's own. Nothing may allocate memory after this: the heap would grow into the program's.
 */
static void describe_process(struct launch *l)
{
	const char *name = strrchr(l->path, '/');
	struct prctl_mm_map map = {
		.start_stack = l->stack.rsp,
		.arg_start = l->stack.arg_start,
		.arg_end = l->stack.arg_end,
		.env_start = l->stack.env_start,
		.env_end = l->stack.env_end,
		.auxv = (__u64 *)(l->stack.bytes + (l->stack.auxv - l->stack.rsp)),
		.auxv_size = (__u32)l->stack.auxv_size,
		.exe_fd = (__u32)-1,
	};
	uint64_t random = 0, heap = heap_start(), heap_end = (uint64_t)sbrk(0);

	prctl(PR_SET_NAME, name ? name + 1 : l->path);
	map_code_data(&l->program, &map);
	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE) &&
	    getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = 0;
	map.brk = l->program.base + l->program.file.high + random % BRK_RANDOM;
	map.brk = (map.brk + ELF_PAGE) & ~(ELF_PAGE - 1);
	map.start_brk = map.brk;
	add_unmap(l, (uint64_t)__ehdr_start, (uint64_t)_end);
	add_unmap(l, (uint64_t)l->stack.bytes, (uint64_t)l->stack.bytes + l->stack.mapping_size);
	if (!prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) && heap && heap < heap_end)
		add_unmap(l, heap, heap_end);
}

/* A signal that is ignored stays so; exec has reset everything else. */
static int read_ignored(struct launch *l)
{
	struct sigaction action;

	for (int i = 1; i <= RUNTIME_NR_SIGNALS; i++) {
		/* The C library hides its own two; they are at their defaults here. */
		if (sigaction(i, NULL, &action))
			continue;
		if (action.sa_handler == SIG_IGN)
			l->boot.actions[i - 1].handler = 1;
	}
	return 0;
}

/* What an error of the module means to the user, where strerror() doesn't say it. */
static const struct {
	enum host_step step;
	int error;
	const char *text;
} context_hints[] = {
	{ HOST_ATTACH, -ENOTTY, "not a context fd" },
	{ HOST_ATTACH, -EBADF, "not a context fd" },
	{ HOST_ATTACH, -EPROTONOSUPPORT, "module and dune-exec are of different versions" },
	{ HOST_ATTACH, -EPERM, "the context belongs to another user" },
	{ HOST_ATTACH, -EOPNOTSUPP,
	  "not under PR_SET_TSC, ARCH_SET_CPUID or PR_SET_MDWE: see prctl(2)" },
	{ HOST_ATTACH, -EEXIST, "the context is in use already" },
	{ HOST_ATTACH, -EDQUOT, "over the vcpu limit (vcpus)" },
	{ HOST_WRITE, -EDQUOT, "over the private memory limit (private)" },
};

static int complain_context(enum host_step step, int error)
{
	const char *hint = NULL;
	char line[160];

	if (prctl(PR_GET_SECCOMP) == 2)
		hint = "the caller has a seccomp filter, which may forbid it";
	for (unsigned int i = 0; i < sizeof(context_hints) / sizeof(*context_hints); i++)
		if (context_hints[i].step == step && context_hints[i].error == error)
			hint = context_hints[i].text;
	snprintf(line, sizeof(line), hint ? "%s: %s" : "%s", strerror(-error), hint);
	return complain(EXIT_CONTEXT, host_step_text(step), line);
}

/*
 * Calls that the trampoline and the runtime do by themselves, in a form that does nothing: what else they
 * answer is the word of a seccomp filter from before.
 */
static const struct {
	const char *name;
	long number;
	long arguments[4];
	int error;
} needed_calls[] = {
	{ "lseek, which is RUN", SYS_lseek, { -1, 0, DUNE_RUN, 0 }, EBADF },
	{ "lseek, which is RUN", SYS_lseek, { -1, 0, DUNE_RUN_SIGNAL, 0 }, EBADF },
	{ "rt_sigprocmask, which the end of a handler is",
	  SYS_rt_sigprocmask,
	  { SIG_BLOCK, 0, 0, 8 },
	  0 },
};

static int complain_filter(const char *name)
{
	char line[120];

	snprintf(line, sizeof(line), "a seccomp filter of the caller forbids %s", name);
	return complain(EXIT_CONTEXT, "running the context", line);
}

static int check_filter(const struct launch *l)
{
	if (prctl(PR_GET_SECCOMP) != 2)
		return 0;
	for (size_t i = 0; i < sizeof(needed_calls) / sizeof(*needed_calls); i++) {
		const long *a = needed_calls[i].arguments;
		long got = syscall(needed_calls[i].number, a[0], a[1], a[2], a[3]);

		if ((got < 0 ? errno : 0) != needed_calls[i].error)
			return complain_filter(needed_calls[i].name);
	}
	/* From here the module itself answers EPERM. */
	if (syscall(SYS_lseek, l->fd, 0, DUNE_RUN) == -1 && errno == EPERM)
		return 0;
	return complain_filter(needed_calls[0].name);
}

static int exec_stack(const struct launch *l)
{
	uint64_t page = l->stack.rsp & ~(ELF_PAGE - 1);

	if (l->program.file.stack != ELF_STACK_EXEC)
		return 0;
	if (mprotect((void *)page, ELF_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN))
		return complain(EXIT_NOT_EXEC, l->path,
				"wants an executable stack, which is refused");
	return 0;
}

/* The thread's ties to this image: addresses at which the kernel would read or write later. */
static int forget_thread(void *argument)
{
	int error = host_rseq(0);

	(void)argument;
	syscall(SYS_set_robust_list, NULL, 24);
	syscall(SYS_set_tid_address, NULL);
	return error;
}

static _Noreturn void start(struct launch *l)
{
	const struct program *first = l->has_interpreter ? &l->interpreter : &l->program;
	enum host_step step;
	int error;

	error = host_attach(l->fd, &step);
	if (error)
		exit(complain_context(step, error));
	error = check_filter(l);
	if (error)
		exit(error);
	describe_process(l);
	l->boot.ring = 3;
	l->boot.regs.rip = first->base + first->file.entry;
	l->boot.regs.rsp = l->stack.rsp;
	error = host_load(l->fd, &l->boot, 0, 0, forget_thread, NULL, &step);
	if (error)
		exit(complain_context(step, error));
	host_jump(l->fd, (void *)l->stack.rsp, l->stack.bytes, l->stack.size, l->stack.rsp);
}

int main(int argc, char **argv)
{
	static struct launch l;
	int error;

	if (argc < 4 || parse_fd(argv[1], &l.fd))
		return complain(EXIT_CONTEXT, "usage", "dune-exec FD PATH ARGV0 [ARGUMENT...]");
	l.path = argv[2];
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return complain(EXIT_CONTEXT, "no_new_privs", strerror(errno));
	error = host_move_fd(l.fd);
	if (error < 0)
		return complain(EXIT_CONTEXT, argv[1], strerror(-error));
	l.fd = error;
	error = load_files(&l);
	if (!error)
		error = build_stack(&l, argc, argv);
	if (!error)
		error = exec_stack(&l);
	if (error)
		return error;
	read_ignored(&l);
	start(&l);
}
