// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Builds the initial stack. Argument and environment strings stay where the kernel has put them; a
 * script's additional ones, and with them all arguments (so that they are contiguous), go above the
 * pointers. The whole image ends where the old auxv ended, so it never overwrites a string.
 */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include "libdune/exec/stack.h"

/* In <linux/rseq.h>'s users' auxv since 6.3; the C library has no names for them. */
#define AUX_RSEQ_FEATURE_SIZE 27
#define AUX_RSEQ_ALIGN	      28
#define MAX_AUX		      64

struct old_stack {
	char **envp;
	int nr_env;
	const Elf64_auxv_t *auxv;
	int nr_aux; /* AT_NULL included */
	uint64_t end;
};

static int read_old(const struct stack_request *r, struct old_stack *ret_old)
{
	*ret_old = (struct old_stack){ .envp = r->argv + r->argc + 1 };
	while (ret_old->envp[ret_old->nr_env])
		ret_old->nr_env++;
	ret_old->auxv = (const Elf64_auxv_t *)(ret_old->envp + ret_old->nr_env + 1);
	while (ret_old->auxv[ret_old->nr_aux++].a_type != AT_NULL)
		if (ret_old->nr_aux > MAX_AUX)
			return -E2BIG;
	ret_old->end = (uint64_t)(ret_old->auxv + ret_old->nr_aux);
	return 0;
}

static uint64_t aux_value(const struct stack_request *r, const Elf64_auxv_t *a)
{
	const struct program *p = r->program;

	switch (a->a_type) {
	case AT_PHDR:
		return p->file.headers_address ? p->base + p->file.headers_address : 0;
	case AT_PHENT:
		return sizeof(Elf64_Phdr);
	case AT_PHNUM:
		return p->file.nr_headers;
	case AT_BASE:
		return r->interpreter ? r->interpreter->base : 0;
	case AT_ENTRY:
		return p->base + p->file.entry;
	case AT_EXECFN:
		return (uint64_t)r->path;
	default:
		return a->a_un.a_val;
	}
}

static int nr_prefix(const struct stack_request *r)
{
	int n = 0;

	while (n < 3 && r->prefix[n])
		n++;
	return n;
}

/* The program's arguments: a script's prefix replaces the first one. */
static const char *argument(const struct stack_request *r, int i)
{
	int n = nr_prefix(r);

	if (i < n)
		return r->prefix[i];
	return r->argv[r->skip + i - n + (n ? 1 : 0)];
}

static int nr_arguments(const struct stack_request *r)
{
	int n = nr_prefix(r), own = r->argc - r->skip;

	return n ? n + (own ? own - 1 : 0) : own;
}

static uint64_t strings_size(const struct stack_request *r)
{
	uint64_t size = 0;

	if (nr_prefix(r))
		for (int i = 0; i < nr_arguments(r); i++)
			size += strlen(argument(r, i)) + 1;
	return size;
}

static void place_strings(const struct stack_request *r, const struct old_stack *old,
			  struct stack_image *m, uint64_t strings)
{
	int nr = nr_arguments(r);

	if (strings) {
		m->arg_start = m->rsp + m->size - strings;
		m->arg_end = m->arg_start + strings;
	} else if (nr) {
		m->arg_start = (uint64_t)argument(r, 0);
		m->arg_end = (uint64_t)argument(r, nr - 1) + strlen(argument(r, nr - 1)) + 1;
	}
	m->env_start = m->env_end = m->arg_end;
	if (old->nr_env) {
		const char *last = old->envp[old->nr_env - 1];

		m->env_start = (uint64_t)old->envp[0];
		m->env_end = (uint64_t)last + strlen(last) + 1;
	}
}

static void fill(const struct stack_request *r, const struct old_stack *old, struct stack_image *m,
		 uint64_t strings)
{
	uint64_t *word = (uint64_t *)m->bytes, at = m->arg_start;
	int nr = nr_arguments(r);

	*word++ = nr;
	for (int i = 0; i < nr; i++) {
		const char *s = argument(r, i);

		if (!strings) {
			*word++ = (uint64_t)s;
			continue;
		}
		strcpy(m->bytes + (at - m->rsp), s);
		*word++ = at;
		at += strlen(s) + 1;
	}
	*word++ = 0;
	for (int i = 0; i < old->nr_env; i++)
		*word++ = (uint64_t)old->envp[i];
	*word++ = 0;
	m->auxv = m->rsp + (uint64_t)((char *)word - m->bytes);
	for (int i = 0; i < old->nr_aux; i++) {
		uint64_t type = old->auxv[i].a_type;

		if (type == AT_EXECFD || type == AUX_RSEQ_FEATURE_SIZE || type == AUX_RSEQ_ALIGN)
			continue;
		*word++ = type;
		*word++ = aux_value(r, &old->auxv[i]);
	}
	m->auxv_size = m->rsp + (uint64_t)((char *)word - m->bytes) - m->auxv;
}

int stack_build(const struct stack_request *request, struct stack_image *ret_image)
{
	uint64_t strings = strings_size(request), words;
	struct stack_image m = { 0 };
	struct old_stack old;
	int error = read_old(request, &old);

	if (error)
		return error;
	words = 1 + nr_arguments(request) + 1 + old.nr_env + 1 + old.nr_aux * 2;
	m.rsp = (old.end - words * 8 - strings) & ~15ull;
	m.size = old.end - m.rsp;
	m.mapping_size = (m.size + ELF_PAGE - 1) & ~(ELF_PAGE - 1);
	m.bytes = mmap(NULL, m.mapping_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (m.bytes == MAP_FAILED)
		return -errno;
	place_strings(request, &old, &m, strings);
	fill(request, &old, &m, strings);
	*ret_image = m;
	return 0;
}
