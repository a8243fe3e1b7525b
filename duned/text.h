/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing piece of text with a limit, for replies that are put together bit by bit. Must never let
 * a failure pass unnoticed: after one, everything that follows fails too.
 */
#ifndef DUNED_TEXT_H
#define DUNED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *bytes; /* no NUL at its end unless one was added */
	size_t size;
	size_t capacity;
	size_t max; /* bytes that it may hold */
	int error; /* the first failure: -ENOMEM, or -EMSGSIZE above max */
};

void text_init(struct text *text, size_t max);
void text_done(struct text *text);

/* 0 or text->error. */
int text_add(struct text *text, const char *bytes, size_t size);
int text_add_string(struct text *text, const char *string);

#endif
