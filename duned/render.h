/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON written straight into a buffer of fixed size, for what is answered often: no allocation for every key and
 * number. Must never write past the buffer, and
 * never let a text that did not fit pass for a whole one.
 */
#ifndef DUNED_RENDER_H
#define DUNED_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RENDER_MAX 2048	/* bytes of one rendered object */

struct render {
	size_t size;
	bool overflow;
	char bytes[RENDER_MAX];
};

/* Not zero-initialized: the buffer is large. */
void render_init(struct render *render);

/* `text` as it is: brackets. */
void render_text(struct render *render, const char *text);

/* A key, with the comma before it where there has to be one. */
void render_key(struct render *render, const char *key);

/* Members. Numbers above INT64_MAX become that; bytes that are not printable ASCII become '?'. */
void render_int(struct render *render, const char *key, uint64_t value);
void render_string(struct render *render, const char *key, const char *value);

/* The text is in ->bytes, ->size of them. -EMSGSIZE when not all of it fitted. */
int render_done(const struct render *render);

#endif
