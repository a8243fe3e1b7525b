// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory for libev; see loop_memory.h. Blocks are cut off one after the other, the last one can grow in
 * place. What libev gives back is not used again: it grows its arrays by doubling, so all that they ever
 * were is less than twice what they are.
 */
#include "duned/loop_memory.h"

#include <ev.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16

struct block {
	size_t size; /* of what follows */
	char padding[ALIGNMENT - sizeof(size_t)];
};

static _Alignas(ALIGNMENT) char arena[LOOP_MEMORY_BYTES];
static size_t arena_used;

static struct block *block_of(void *pointer)
{
	return (struct block *)((char *)pointer - sizeof(struct block));
}

static int in_arena(const void *pointer)
{
	return (uintptr_t)pointer - (uintptr_t)arena < sizeof(arena);
}

static void *arena_cut(size_t size)
{
	struct block *block = (struct block *)(arena + arena_used);

	if (size > sizeof(arena) - arena_used - sizeof(*block))
		return NULL;
	block->size = size;
	arena_used += sizeof(*block) + size;
	return block + 1;
}

/* libev's only way to memory: a size of 0 frees. */
static void *loop_realloc(void *pointer, long size)
{
	size_t wanted = ((size_t)size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct block *block = pointer ? block_of(pointer) : NULL;
	void *copy;

	if (pointer && !in_arena(pointer))
		return size ? realloc(pointer, wanted) : (free(pointer), NULL);
	if (!size || (block && wanted <= block->size))
		return size ? pointer : NULL;
	if (block && (char *)pointer + block->size == arena + arena_used &&
	    wanted - block->size <= sizeof(arena) - arena_used) {
		arena_used += wanted - block->size;
		block->size = wanted;
		return pointer;
	}
	copy = arena_cut(wanted);
	/* More than was ever thought of: then as libev does by itself. */
	if (!copy)
		copy = malloc(wanted);
	if (copy && block)
		memcpy(copy, pointer, block->size);
	return copy;
}

void loop_memory_init(void)
{
	ev_set_allocator(loop_realloc);
}
